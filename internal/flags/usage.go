package flags

import (
	"fmt"
	"io"
	"strings"
)

const (
	usageWidth  = 100 // of the text
	usageColumn = 44  // where the second column begins at most
)

// Usage writes the flags with what they are for, in two columns.
func (s *Set) Usage(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "Usage: %s [flags]\n\n", s.program)
	fmt.Fprintf(&out, "Every flag can be given as an environment variable too: --work_dir is %sWORK_DIR.\n", Prefix)
	fmt.Fprintf(&out, "%sPATH as a value stands for the contents of that file.\n\n", fileScheme)
	column := s.column()
	for _, f := range s.sorted() {
		if !f.hidden {
			f.usage(&out, column)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (s *Set) column() int {
	column := 0
	for _, f := range s.flags {
		if n := len(f.form()) + 4; n <= usageColumn {
			column = max(column, n)
		}
	}
	return column
}

// form is the flag as it is to be written.
func (f *flag) form() string {
	if f.boolean {
		return "--[no-]" + f.name
	}
	return "--" + f.name + "=" + f.value
}

func (f *flag) usage(out *strings.Builder, column int) {
	lines := wrap(f.description(), usageWidth-column)
	fmt.Fprintf(out, "  %-*s", column-2, f.form())
	if len(f.form())+4 > column {
		fmt.Fprintf(out, "\n%*s", column, "")
	}
	fmt.Fprintln(out, lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(out, "%*s%s\n", column, "", line)
	}
}

func (f *flag) description() string {
	text := f.text
	switch {
	case f.required:
		text += " Required."
	case f.defaultText != "":
		text += " Default: " + f.defaultText + "."
	}
	if f.alias != "" {
		text += " Also --" + f.alias + "."
	}
	return text
}

// wrap breaks text into lines of at most width bytes, where words allow it. A
// line break in the text stays one.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && len(line)+1+len(word) > width {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}

package httpserver

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
)

// processTexts say what endpoints are for that every daemon has.
var processTexts = map[string]string{
	"/files/browse":                   "Lists the directory path=PATH.",
	"/files/debug":                    "What is attached where.",
	"/files/download":                 "The file path=PATH.",
	"/files/read":                     "A piece of the file path=PATH: offset, length.",
	"/logging/toggle":                 "The level of the log; level=N and duration=5mins change it for that time.",
	"/memory-profiler/download/graph": "Says how to draw a graph of the last profile of memory.",
	"/memory-profiler/download/raw":   "The last profile of memory, for go tool pprof; id=ID makes sure that it is that one.",
	"/memory-profiler/download/text":  "The last profile of memory, for people.",
	"/memory-profiler/start":          "Takes a profile of memory when duration=5mins is over.",
	"/memory-profiler/state":          "What is being profiled.",
	"/memory-profiler/statistics":     "How much memory is allocated.",
	"/memory-profiler/stop":           "Takes the profile of memory now.",
	"/metrics":                        "The metrics in Prometheus's text format.",
	"/metrics/snapshot":               "The metrics as JSON; timeout=5secs bounds the time that is waited for values.",
	"/profiler/start":                 "Begins a profile of where time is spent.",
	"/profiler/stop":                  "Ends the profile and sends it, for go tool pprof.",
	"/system/stats.json":              "Load and memory of the machine.",
	"/version":                        "The version.",
}

// Help adds /help to a router: pages that list processes, the endpoints of a
// process, and what an endpoint is for, as texts says by paths like
// "/master/state". They are HTML, and Markdown for curl and HTTPie.
// /help?format=json is all of it as JSON. It knows the processes that have
// handlers when it is called.
func (r *Router) Help(texts map[string]string) {
	r.help = maps.Clone(processTexts)
	maps.Copy(r.help, texts)
	for _, id := range r.helped() {
		r.Handle("help", id, http.HandlerFunc(r.serveHelp))
	}
	r.Handle("help", "", http.HandlerFunc(r.serveHelp))
}

func (r *Router) serveHelp(w http.ResponseWriter, req *http.Request) {
	segments := strings.FieldsFunc(req.URL.Path, func(c rune) bool { return c == '/' })
	switch {
	case len(segments) < 2 && req.URL.Query().Get("format") == "json":
		Write(w, http.StatusOK, "application/json", r.appendHelp(nil))
	case len(segments) < 2:
		links{"Help", "## HELP", r.helped(), "/help/", "help/"}.send(w, req)
	case len(segments) == 2:
		id := segments[1]
		links{"/" + id, "## `/" + id + "` ##", r.pathsOf(id), "/help/", ""}.send(w, req)
	default:
		r.helpFor(w, req, segments[1], "/"+strings.Join(segments[2:], "/"))
	}
}

func (r *Router) helpFor(w http.ResponseWriter, req *http.Request, process, name string) {
	if !slices.Contains(r.endpoints(process), name) {
		noHelp(w, "/"+process+name)
		return
	}
	text := r.textOf(process, name)
	if readsMarkdown(req) {
		Write(w, http.StatusOK, markdown, []byte(text+"\n"))
		return
	}
	Write(w, http.StatusOK, "text/html", []byte("<!DOCTYPE html>\n<title>"+html.EscapeString("/"+process+name)+"</title>\n<pre>"+
		html.EscapeString(text)+"</pre>\n"))
}

const markdown = "text/x-markdown"

// readsMarkdown says whether a client shows an answer as it is, in a terminal.
func readsMarkdown(req *http.Request) bool {
	agent := req.UserAgent()
	return strings.HasPrefix(agent, "curl") || strings.HasPrefix(agent, "HTTPie")
}

func noHelp(w http.ResponseWriter, path string) {
	Write(w, http.StatusBadRequest, "text/plain; charset=utf-8", fmt.Appendf(nil, "No help available for '%s'.\n", path))
}

// helped are the processes that have help.
func (r *Router) helped() []string {
	ids := slices.Sorted(maps.Keys(r.processes))
	return slices.DeleteFunc(ids, func(id string) bool { return id == "help" })
}

// endpoints are those of a process, each with a slash before it.
func (r *Router) endpoints(process string) []string {
	var names []string
	for name := range r.processes[process] {
		names = append(names, "/"+name)
	}
	slices.Sort(names)
	return names
}

// textOf is where an endpoint is found and what it is for.
func (r *Router) textOf(process, name string) string {
	path := strings.TrimRight("/"+process+name, "/")
	usage := "### USAGE ###\n"
	if process == r.fallback {
		usage += ">        " + name + "\n"
	}
	return usage + ">        " + path + "\n\n### TL;DR; ###\n" + r.help[path] + "\n"
}

func (r *Router) appendHelp(b []byte) []byte {
	b = append(b, `{"processes":`...)
	list := len(b)
	for _, id := range r.helped() {
		b = mesosjson.AppendString(append(b, `,{"id":`...), id)
		b = append(b, `,"endpoints":`...)
		inner := len(b)
		for _, name := range r.endpoints(id) {
			b = mesosjson.AppendString(append(b, `,{"name":`...), name)
			b = mesosjson.AppendString(append(b, `,"text":`...), r.textOf(id, name))
			b = append(b, '}')
		}
		b = append(mesosjson.CloseList(b, inner), '}')
	}
	return append(mesosjson.CloseList(b, list), '}')
}

// pathsOf are the endpoints of a process, without a slash before them.
func (r *Router) pathsOf(process string) []string {
	paths := r.endpoints(process)
	for i, name := range paths {
		paths[i] = strings.TrimRight(process+name, "/")
	}
	return paths
}

// links is a page that leads to others.
type links struct {
	title, heading string
	paths          []string
	below, refer   string // before each path: where its link leads in HTML, and in Markdown
}

func (l links) send(w http.ResponseWriter, req *http.Request) {
	if readsMarkdown(req) {
		Write(w, http.StatusOK, markdown, l.markdown())
		return
	}
	title := html.EscapeString(l.title)
	b := []byte("<!DOCTYPE html>\n<title>" + title + "</title>\n<h1>" + title + "</h1>\n<ul>\n")
	for _, path := range l.paths {
		b = fmt.Appendf(b, "<li><a href=\"%s\">/%s</a></li>\n", html.EscapeString(l.below+path), html.EscapeString(path))
	}
	Write(w, http.StatusOK, "text/html", append(b, "</ul>\n"...))
}

// markdown has the links first, and at the end what they refer to.
func (l links) markdown() []byte {
	b := []byte(l.heading + "\n")
	for _, path := range l.paths {
		b = fmt.Appendf(b, "> [/%s][%s]\n", path, path)
	}
	b = append(b, '\n')
	for _, path := range l.paths {
		b = fmt.Appendf(b, "[%s]: %s%s\n", path, l.refer, path)
	}
	return b
}

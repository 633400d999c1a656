// Package compatibility holds docs/compatibility.md to the truth. The tables of
// that page are generated: flags, metrics, endpoints and operator calls from what
// the real binaries do when asked, the rest from rows in this package, whose
// proofs must be tests that exist. A test fails when page and binaries differ;
// with -rewrite it writes the page.
package compatibility

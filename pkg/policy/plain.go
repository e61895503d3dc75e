package policy

import (
	"strings"
	"unicode/utf8"
)

// maxPlain bounds a plain expression, in bytes. As each byte makes it deeper by one level
// at most, none is too deep for [regexp/syntax], which takes 1,000 levels, or too large.
const maxPlain = 500

// plain is what a scan finds in an expression of the kind that long lists are made of:
// characters, `\.`, `.`, classes such as [a-z0-9._-] and groups such as (a|b), each
// followed by at most one of `*`, `+` and `?`. Such an expression is right without being
// parsed, which costs twenty times as much.
type plain struct {
	// text is the longest text outside of groups that is in all matches; alone
	// tells that there was nothing else.
	text  string
	alone bool
	// run is the text that the scan is in, depth the number of groups.
	run   []byte
	depth int
	// atom tells that an operator may follow.
	atom bool
}

// scanPlain scans an expression. It is not ok for what may be wrong, or is not plain.
func scanPlain(expression string) (p plain, ok bool) {
	if len(expression) > maxPlain {
		return plain{}, false
	}
	p.alone, p.run = true, make([]byte, 0, len(expression))
	for rest := expression; rest != ""; {
		n := p.scan(rest)
		if n == 0 {
			return plain{}, false
		}
		rest = rest[n:]
	}
	p.endRun()
	return p, p.depth == 0
}

// scan takes what an expression goes on with, and returns its length; 0 where it is not
// plain.
func (p *plain) scan(rest string) int {
	if c, n := character(rest); n > 0 {
		p.atom = true
		if p.depth == 0 {
			p.run = append(p.run, c)
		}
		return n
	}
	n := 1
	switch rest[0] {
	case '.':
		p.endRun()
		p.atom = true
	case '[':
		p.endRun()
		p.atom = true
		n = class(rest)
	case '(':
		p.endRun()
		p.atom = false
		p.depth++
	case '|':
		// Outside of groups no text is in all matches.
		if p.depth == 0 {
			return 0
		}
		p.atom = false
	case ')':
		if p.depth--; p.depth < 0 {
			return 0
		}
		p.atom = true
	case '*', '+', '?':
		if !p.atom {
			return 0
		}
		p.run = p.run[:max(len(p.run)-1, 0)]
		p.endRun()
		p.atom = false
	default:
		return 0
	}
	p.alone = false
	return n
}

// endRun keeps the text that the scan was in, if it is the longest.
func (p *plain) endRun() {
	if len(p.run) > len(p.text) {
		p.text = string(p.run)
	}
	p.run = p.run[:0]
}

// character returns the character that an expression begins with, and how long it is
// written: 0 where that is none that stands for itself, or not plain.
func character(rest string) (c byte, length int) {
	switch {
	case rest == "":
		return 0, 0
	case isLetterOrDigit(rest[0]) || strings.IndexByte("/:@_-,=%~", rest[0]) >= 0:
		return rest[0], 1
	case rest[0] == '\\' && len(rest) > 1 && rest[1] < utf8.RuneSelf && !isLetterOrDigit(rest[1]):
		return rest[1], 2
	}
	return 0, 0
}

func isLetterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// class returns the length of the class that an expression begins with, 0 where it is
// not plain.
func class(rest string) int {
	i := 1
	if strings.HasPrefix(rest[i:], "^") {
		i++
	}
	first := i
	for i < len(rest) && rest[i] != ']' {
		low, n := inClass(rest[i:])
		if n == 0 {
			return 0
		}
		i += n
		// The last hyphen stands for itself.
		if strings.HasPrefix(rest[i:], "-") && !strings.HasPrefix(rest[i:], "-]") {
			high, n := inClass(rest[i+1:])
			if n == 0 || high < low {
				return 0
			}
			i += 1 + n
		}
	}
	if i == first || i == len(rest) {
		return 0
	}
	return i + 1
}

// inClass is [character] within a class, where a dot is one.
func inClass(rest string) (c byte, length int) {
	if strings.HasPrefix(rest, ".") {
		return '.', 1
	}
	return character(rest)
}

package policy

import "strings"

// LooseRule is an entry of a list of images that allows more than one registry: a dot in
// its host name matches any character. So `registry.example.com/.*` also allows images of
// registry-example.com, a name that anybody may register.
type LooseRule struct {
	// Key and Line are those of the list. Entry is the number of the entry, from 1.
	Key         string
	Line, Entry int
	Expression  string
	// Instead is the expression that is probably meant.
	Instead string
}

// LooseRules returns the loose rules of the image lists.
func (p *Policy) LooseRules() []LooseRule {
	var loose []LooseRule
	for _, list := range []struct {
		key   string
		rules []Rule
	}{
		{"general.podman.image_allow_list", p.General.Podman.ImageAllowList},
		{"general.podman.service_allow_list", p.General.Podman.ServiceAllowList},
	} {
		for i, rule := range list.rules {
			if instead := escapeHost(rule.Expression); instead != rule.Expression {
				loose = append(loose, LooseRule{list.key, p.Line(list.key), i + 1, rule.Expression, instead})
			}
		}
	}
	return loose
}

// hostScan reads an expression to its end, and keeps track of the host name in it.
type hostScan struct {
	out strings.Builder
	// dots are the places in out of dots in a host name. They are replaced at the slash
	// that ends the name.
	dots []dot
	// inPath reports whether that slash was read. named reports whether the host name has
	// a letter, a digit or an escaped dot.
	inPath, named bool
	// groups are the states at the beginning of each open group.
	groups []hostState
}

type dot struct {
	at       int
	repeated bool
}

type hostState struct{ inPath, named bool }

// escapeHost returns an expression in which the dots of a registry's host name, which ends
// at the first slash, no longer match any character. A dot becomes `\.`. A repeated dot
// beside other text, such as `.*`, becomes `[^/]`. A host name without a slash that ends in
// `.*`, as in `registry\.example\.com.*`, gets a slash.
func escapeHost(expression string) string {
	s := hostScan{}
	for i := 0; i < len(expression); {
		n := s.next(expression[i:])
		s.out.WriteString(expression[i : i+n])
		i += n
	}
	text := s.out.String()
	if n := len(s.dots); n > 0 && s.named && s.dots[n-1].repeated {
		host := text[:s.dots[n-1].at]
		if rest := text[len(host):]; strings.Contains(host, ".") && (rest == ".*" || rest == ".+") {
			return escapeHost(host + "/" + rest)
		}
	}
	return text
}

// next reads the first element of an expression, and returns its length. At the slash that
// ends a host name, the dots of the name are replaced.
func (s *hostScan) next(rest string) int {
	switch c := rest[0]; {
	case strings.HasPrefix(rest, `\Q`):
		return s.quoted(rest)
	case c == '\\' && len(rest) > 1:
		s.named = s.named || rest[1] == '.'
		return 2
	case c == '[':
		return classLength(rest)
	case c == '(':
		s.groups = append(s.groups, hostState{s.inPath, s.named})
		return groupLength(rest)
	case c == ')' && len(s.groups) > 0:
		s.groups = s.groups[:len(s.groups)-1]
	case c == '|':
		state := hostState{}
		if n := len(s.groups); n > 0 {
			state = s.groups[n-1]
		}
		s.inPath, s.named = state.inPath, state.named
	case c == '/':
		s.slash()
	case c == '.' && !s.inPath:
		s.dots = append(s.dots, dot{s.out.Len(), len(rest) > 1 && strings.ContainsRune("*+?{", rune(rest[1]))})
	case !s.inPath && isAlphanumeric(c):
		s.named = true
	}
	return 1
}

// slash ends a host name, and replaces the dots in it.
func (s *hostScan) slash() {
	if s.inPath {
		return
	}
	text := s.out.String()
	for i := len(s.dots) - 1; i >= 0; i-- {
		d := s.dots[i]
		switch {
		case !d.repeated:
			text = text[:d.at] + `\` + text[d.at:]
		case s.named:
			text = text[:d.at] + `[^/]` + text[d.at+1:]
		}
	}
	s.out.Reset()
	s.out.WriteString(text)
	s.dots, s.inPath = nil, true
}

// quoted reads `\Q…\E`, and returns its length.
func (s *hostScan) quoted(rest string) int {
	text, _, closed := strings.Cut(rest[2:], `\E`)
	n := 2 + len(text)
	if closed {
		n += 2
	}
	if strings.Contains(text, "/") {
		s.slash()
	}
	s.named = true
	return n
}

// classLength is the length of a character class.
func classLength(rest string) int {
	// A closing bracket that comes first, or first after ^, is a character of the class.
	i := len("[")
	if strings.HasPrefix(rest[i:], "^") {
		i++
	}
	for first := true; i < len(rest); first = false {
		switch {
		case rest[i] == '\\':
			i++
		case strings.HasPrefix(rest[i:], "[:"):
			if end := strings.Index(rest[i:], ":]"); end > 0 {
				i += end + 1
			}
		case rest[i] == ']' && !first:
			return i + 1
		}
		i++
	}
	return len(rest)
}

// groupLength is the length of a group's beginning: "(", "(?:", "(?P<name>".
func groupLength(rest string) int {
	if !strings.HasPrefix(rest, "(?") {
		return 1
	}
	if end := strings.IndexAny(rest, ":>)"); end > 0 && rest[end] != ')' {
		return end + 1
	}
	return 1
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

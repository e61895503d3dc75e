package podman

// options is a part of a command line.
type options []string

// add adds the option for each value that is not empty.
func (o *options) add(name string, values ...string) {
	for _, v := range values {
		if v != "" {
			*o = append(*o, name, v)
		}
	}
}

func (o *options) addSwitch(name string, on bool) {
	if on {
		*o = append(*o, name)
	}
}

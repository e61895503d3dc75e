package podman

import (
	"maps"
	"slices"
)

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

// addLabels adds labels in the order of their keys, also those without a value.
func (o *options) addLabels(labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		o.add("--label", key+"="+labels[key])
	}
}

// addSwitch adds an option that takes no value.
func (o *options) addSwitch(name string, on bool) {
	if on {
		*o = append(*o, name)
	}
}

package site

import (
	"cmp"

	"podman-executor/internal/driver"
	"podman-executor/internal/fault"
)

// Judge turns an error, of podman most of all, into a refusal if the job's author can fix it, and
// into a fault otherwise. place is where the policy names the image or the options in question,
// empty if the job does: with a place, nothing is the author's. otherwise is the hint for words
// that internal/fault does not know, unless the error has its own.
func Judge(err error, place, otherwise string) error {
	f, known := fault.Of(err)
	if !known {
		return &driver.Fault{Err: err, Hint: cmp.Or(driver.Hint(err), otherwise)}
	}
	return Blame(f, err, place)
}

// Blame is [Judge] for a fault that is known.
func Blame(f fault.Fault, err error, place string) error {
	switch {
	case f.Whose != fault.Authors:
		return &driver.Fault{Err: err, Hint: f.Hint()}
	case place != "":
		return &driver.Fault{Err: err, Hint: f.Cause + ": check " + place}
	}
	return &driver.Refusal{Err: err, Hint: f.Hint()}
}

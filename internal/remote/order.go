package remote

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// Order returns the hosts in the order in which those jobs try them that have a key in
// common. It is the same for each call; the first hosts of many keys are spread evenly,
// and a host that is added or taken away changes the order of no others (rendezvous
// hashing: Thaler and Ravishankar, 1998).
func Order(hosts []Host, key string) []Host {
	ordered := slices.Clone(hosts)
	slices.SortStableFunc(ordered, func(a, b Host) int {
		x, y := weight(a, key), weight(b, key)
		return bytes.Compare(y[:], x[:])
	})
	return ordered
}

func weight(h Host, key string) [sha256.Size]byte {
	return sha256.Sum256([]byte(h.URL + "\x00" + key))
}

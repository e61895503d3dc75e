package remote

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// Order returns the endpoints in the order in which jobs with that key try them. It is the
// same for each call; the first endpoints of many keys are spread evenly, and adding or
// removing an endpoint does not change the order of the others (rendezvous hashing: Thaler
// and Ravishankar, 1998).
func Order(endpoints []Endpoint, key string) []Endpoint {
	ordered := slices.Clone(endpoints)
	slices.SortStableFunc(ordered, func(a, b Endpoint) int {
		x, y := weight(a, key), weight(b, key)
		return bytes.Compare(y[:], x[:])
	})
	return ordered
}

func weight(e Endpoint, key string) [sha256.Size]byte {
	return sha256.Sum256([]byte(e.URL + "\x00" + key))
}

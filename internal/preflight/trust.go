package preflight

import "podman-executor/internal/trust"

// Trust turns an error of package trust, or nil, into a row of the table.
func Trust(check, name string, err error) Result {
	if err != nil {
		return Result{Check: check, Level: Error, Detail: err.Error(), Hint: trust.Hint(err)}
	}
	return Result{Check: check, Detail: name}
}

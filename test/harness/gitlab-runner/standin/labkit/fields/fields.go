// Package fields stands in for gitlab.com/gitlab-org/labkit/v2/fields, the names GitLab gives to fields of its logs.
//
// Nothing depends on these but the look of log lines. The tables of renamed fields are empty, so every field keeps the
// name that the runner gives it, which is also what the real tables do until config.toml asks for a newer log schema.
// One name reaches job logs: artifacts-uploader and artifacts-downloader end their line with http_status_code=201, say;
// the real name may differ, so no test should look for it.
package fields

// Names of log fields that the runner takes from labkit.
const (
	DurationS      = "duration_s"
	HTTPStatusCode = "http_status_code"
)

// Deprecation is one renamed field.
type Deprecation struct {
	Standard string // the name that replaces it
}

// Deprecated maps an old field name to its replacement. Here no field is renamed.
var Deprecated = map[string]Deprecation{}

// VariantVersion maps a field name to the log schema that introduced it. Here no schema does.
var VariantVersion = map[string]int{}

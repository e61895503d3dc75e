// Package oidc stands in for gitlab.com/gitlab-org/labkit/v2/events/snowplow/oidc, the bearer tokens of the Snowplow
// emitter. No emitter is ever made, so no token is ever asked for, and nothing of a job passes through here.
package oidc

// Option would configure a Source.
type Option struct{}

// WithSkipIfUnsupportedCloud would leave out the token on unknown clouds.
func WithSkipIfUnsupportedCloud(bool) Option { return Option{} }

// Source would fetch tokens.
type Source struct{}

// NewSource returns a source that has no tokens.
func NewSource(...Option) *Source { return &Source{} }

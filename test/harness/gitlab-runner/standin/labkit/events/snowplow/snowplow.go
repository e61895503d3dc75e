// Package snowplow stands in for gitlab.com/gitlab-org/labkit/v2/events/snowplow, which reports billing events to a
// Snowplow collector.
//
// Nothing of a job passes through it unless config.toml has a [usage_logger] with a Snowplow collector; then
// NewEmitter says that it is not built in, the runner logs that and goes on without.
package snowplow

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/metrics"
	"gitlab.com/gitlab-org/labkit/v2/events/snowplow/oidc"
)

// ErrNotBuiltIn is what every operation here ends in.
var ErrNotBuiltIn = errors.New("snowplow events are not built in")

// SendResult is the outcome of sending one batch.
type SendResult struct {
	EventCount int
	StatusCode int
	Err        error
}

// SendCallback is told the outcome of each round of sending.
type SendCallback func(successes, failures []SendResult)

// EmitterOption would configure an Emitter.
type EmitterOption struct{}

// WithCallback would set the callback.
func WithCallback(SendCallback) EmitterOption { return EmitterOption{} }

// WithTokenSource would set where bearer tokens come from.
func WithTokenSource(*oidc.Source) EmitterOption { return EmitterOption{} }

// WithMetricsCollectorOptions would configure the emitter's metrics.
func WithMetricsCollectorOptions(...metrics.CollectorOption) EmitterOption { return EmitterOption{} }

// Emitter would send events. None can be made.
type Emitter struct{}

// NewEmitter refuses.
func NewEmitter(string, ...EmitterOption) (*Emitter, error) { return nil, ErrNotBuiltIn }

// Collector would return the emitter's metrics.
func (*Emitter) Collector() prometheus.Collector { return nil }

// Tracker would turn calls into events. None can be made.
type Tracker struct{}

// NewTracker refuses.
func NewTracker(string, *Emitter) (*Tracker, error) { return nil, ErrNotBuiltIn }

// TrackBillingEventWithOptionalInput refuses.
func (*Tracker) TrackBillingEventWithOptionalInput(BillingEventRequiredInput, BillingEventOptionalInput) error {
	return ErrNotBuiltIn
}

// Stop does nothing.
func (*Tracker) Stop() {}

// BillingEventRequiredInput is the part of a billing event that must be given.
type BillingEventRequiredInput struct {
	Category      string
	EventType     string
	Realm         string
	UnitOfMeasure string
	Quantity      float64
}

// BillingEventOptionalInput is the part of a billing event that may be left out.
type BillingEventOptionalInput struct {
	Subject          string
	DeploymentType   string
	InstanceID       string
	UniqueInstanceID string
	ProjectID        int64
	NamespaceID      int64
	RootNamespaceID  int64
	OrganizationID   int64
	Metadata         map[string]any
}

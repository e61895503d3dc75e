// Package metrics stands in for gitlab.com/gitlab-org/labkit/v2/events/snowplow/metrics, the metrics of the Snowplow
// emitter. No emitter is ever made, so there is nothing to measure, and nothing of a job passes through here.
package metrics

// CollectorOption would configure the metrics.
type CollectorOption struct{}

// WithCollectorNamespace would set the prefix of the metrics' names.
func WithCollectorNamespace(string) CollectorOption { return CollectorOption{} }

// WithCollectorBatchDeliveryDurationBuckets would set the buckets of a histogram.
func WithCollectorBatchDeliveryDurationBuckets([]float64) CollectorOption { return CollectorOption{} }

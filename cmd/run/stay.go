package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
)

// handOver runs a step in the runner container that stays.
func handOver(ctx context.Context, call *driver.Call, p plan.Plan, pm *podman.Podman, s handover.Step) error {
	code, err := handover.Run(ctx, p.StepsDir, s)
	for deadline := time.Now().Add(500 * time.Millisecond); errors.Is(err, handover.ErrNobody) && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
		code, err = handover.Run(ctx, p.StepsDir, s)
	}
	if err != nil {
		return fmt.Errorf("XXX %w", err)
	}
	if code != 0 {
		return &driver.ScriptError{Code: code}
	}
	return nil
}

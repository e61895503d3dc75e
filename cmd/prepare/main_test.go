package main

import (
	"testing"

	"podman-executor/internal/driver/drivertest"
)

func TestMain(m *testing.M) { drivertest.Main(m, program) }

func TestScripts(t *testing.T) { drivertest.Scripts(t) }

func TestHelp(t *testing.T) { drivertest.Help(t, program) }

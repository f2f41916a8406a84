//go:build parts

// Package parts names the programs that build.sh builds, so that go.mod and go.sum pin all they are made of.
package parts

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)

package main

import (
	"context"
	"flag"
	"strconv"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/housekeeping"
	"podman-executor/pkg/policy"
)

// addFlags adds the options of the housekeeper: with any of them, it runs instead of the stage.
func addFlags(flags *flag.FlagSet, call *driver.Call) {
	var o housekeeping.Options
	keepHouse := func(ctx context.Context, call *driver.Call) error { return housekeeping.Run(ctx, call, o) }
	option := func(name, usage string, set func(string) error) {
		flags.Func(name, usage, func(text string) error {
			call.Command = keepHouse
			return set(text)
		})
	}
	isSet := func(name, usage string, value *bool) {
		flags.BoolFunc(name, usage, func(text string) (err error) {
			call.Command = keepHouse
			*value, err = strconv.ParseBool(text)
			return err
		})
	}
	duration := func(value **time.Duration) func(string) error {
		return func(text string) error {
			d, err := housekeeping.ParseDuration(text)
			*value = &d
			return err
		}
	}
	option("builds-older-than", "remove builds that no job has used for that `DURATION`, such as 12h or 30d", duration(&o.Limits.BuildsUnused))
	option("images-unused-for", "remove images that were pulled for jobs, and that no job has used for that `DURATION`, such as 30d; 0 stands for all that no job has now", duration(&o.Limits.ImagesUnused))
	option("storage-below", "where the file system of podman's storage is fuller than that `PERCENT`, remove images, then builds and caches, those first that no job has used for longest, until it is not", func(text string) (err error) {
		o.StorageBelow, err = housekeeping.ParsePercent(text)
		return err
	})
	option("cache-larger-than", "remove caches and volumes of projects, those first that no job has used for longest, until all together take no more than that `SIZE`, such as 20g", func(text string) error {
		size, err := policy.ParseSize(text)
		bytes := int64(size)
		o.Limits.Caches = &bytes
		return err
	})
	option("open-repository", "let every project have the local images of that `REPOSITORY`, such as registry.example.com/team/app, or of all repositories (all), without asking the registry; with --dry-run: list the projects that may have them now", func(text string) error {
		name, err := housekeeping.ParseRepository(text)
		o.OpenRepositories = append(o.OpenRepositories, name)
		return err
	})
	isSet("orphans", "remove what jobs that are over have left behind: containers, networks, podman secrets, directories", &o.Orphans)
	isSet("all-images", "for --images-unused-for and --storage-below: remove images that prepare did not pull, too; the time of one that no job has used counts from the first call that sees it", &o.AllImages)
	isSet("dry-run", "print what would be removed, and remove nothing", &o.DryRun)
}

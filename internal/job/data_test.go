package job

import "testing"

// Where builds and cache lie, for each way in which a job can be placed.
func TestData(t *testing.T) {
	const (
		own    = "/data/builds/project-7/t/0"
		cache  = "/data/cache/project-7:/data/cache/project-7:z"
		cached = "cache/project-7"
	)
	for _, test := range []struct {
		name, dataDir, projectDir string
		onHost                    bool
		builds, record            string
	}{
		{"a place of the runner's", "/data", own + "/g/p", false, own + ":" + own + ":z", "builds/project-7"},
		{"steps on the host", "/data", own + "/g/p", true, own + ":" + own + ":z", "builds/project-7"},
		{"a place of the job's", "/data", "/data/builds/project-7/mine", false, "/data/chosen/project-7:/data/builds/project-7:z", "chosen/project-7"},
		{"a place of the job's, steps on the host", "/data", "/data/builds/project-7/mine", true, "/data/builds/project-7:/data/builds/project-7:z", "builds/project-7"},
		{"another slot", "/data", "/data/builds/project-7/t/01/g/p", false, "/data/chosen/project-7:/data/builds/project-7:z", "chosen/project-7"},
	} {
		j := &Job{ProjectID: 7, RunnerToken: "t", Slot: "0", ProjectDir: test.projectDir}
		d := j.Data(test.dataDir, test.onHost)
		if d.Builds.String() != test.builds || d.Builds.Record != test.record {
			t.Errorf("%s: builds %s, recorded as %s", test.name, d.Builds, d.Builds.Record)
		}
		if d.Cache.String() != cache || d.Cache.Record != cached {
			t.Errorf("%s: cache %s, recorded as %s", test.name, d.Cache, d.Cache.Record)
		}
	}
	short := &Job{ProjectID: 7, RunnerToken: "t", Slot: "0", ProjectDir: "/data/builds/project-7/t/0/p", Short: true}
	if d := short.Data("/data", false); d.Builds.String() != own+":/data/builds/project-7:z" || d.Builds.Record != "builds/project-7" {
		t.Errorf("short: builds %s, recorded as %s", d.Builds, d.Builds.Record)
	}
	j := &Job{ProjectID: 7, RunnerToken: "t", Slot: "0", ProjectDir: "/builds/t/0/g/p"}
	volumes := Data{
		Builds: Mount{Source: "podman-executor-t-0-project-7-builds", At: "/builds", Record: "podman-executor-t-0-project-7-builds"},
		Cache:  Mount{Source: "podman-executor-t-0-project-7-cache", At: "/cache", Record: "podman-executor-t-0-project-7-cache"},
	}
	if d := j.Data("", false); d != volumes || d.Cache.String() != "podman-executor-t-0-project-7-cache:/cache:nocopy" {
		t.Errorf("without data_dir: %+v", d)
	}
}

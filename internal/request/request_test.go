package request

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestNatural(t *testing.T) {
	sorted := []string{"V", "V_", "V_0", "V_1", "V_2", "V_02a", "V_10", "V_10_2", "V_10_10", "V_99999999999999999999", "V_100000000000000000000", "V_A", "V_A1", "V_B", "V_a"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := natural(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("natural(%q, %q) = %d", a, b, got)
			}
		}
	}
}

// The runner's configuration is found by the runner's command line.
func TestRunnerConfig(t *testing.T) {
	script := filepath.Join(t.TempDir(), "gitlab-runner")
	if err := os.WriteFile(script, []byte("echo ready\nread -r line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const beside = " /etc/.runner_system_id /etc/certs"
	for words, want := range map[string]string{
		"run --config /etc/x.toml --debug": "/etc/x.toml" + beside, "run --config=/etc/x.toml": "/etc/x.toml" + beside,
		"run -c /etc/x.toml": "/etc/x.toml" + beside, "--config x.toml run": "PROC/cwd/x.toml PROC/cwd/.runner_system_id PROC/cwd/certs", "run --debug": "",
		"CONFIG_FILE=/etc/x.toml run": "/etc/x.toml" + beside,
	} {
		setting, rest, _ := strings.Cut(words, " ")
		if strings.HasPrefix(setting, "CONFIG_FILE=") {
			words = rest
		} else {
			setting = "CONFIG_FILE="
		}
		runner := exec.Command("sh", append([]string{script}, strings.Fields(words)...)...)
		runner.Env = append(os.Environ(), setting)
		stdin, err := runner.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := runner.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Start(); err != nil {
			t.Fatal(err)
		}
		// Before, the command line may be empty.
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		pid := runner.Process.Pid
		got := strings.ReplaceAll(strings.Join(runnerConfig(pid), " "), fmt.Sprintf("/proc/%d", pid), "PROC")
		if got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
		_ = stdin.Close()
		_ = runner.Wait()
	}
}

package policy

import "testing"

// launching is a policy with a launcher; more lines begin on line 7.
func launching(more string) string {
	return "[general]\nrun_mechanism = \"podman\"\ndata_dir = \"/d\"\n[general.podman]\nstep_script_only = true\nlauncher = [\"srun\", \"--quiet\", \"--job-name={project}-{job_name}-{job_id}-{project_id}\"]\n" + more
}

func TestLauncher(t *testing.T) {
	wantProblems(t, launching(""))
	wantProblems(t, launching("launcher_mode = \"attached\"\nscheduler_variable = \"SCHEDULER_PARAMETERS\"\nscheduler_allow_list = ['--time=.*']\n"))
	const at = "p.toml:7: general.podman."
	const volumes = "p.toml:8: general.podman.container.volumes: cannot be used with a launcher: /x would be a separate podman volume on each machine; use a directory of the host"
	for more, want := range map[string]string{
		"launcher_mode = \"both\"\n":                       at + `launcher_mode: unknown value "both": want attached, batch`,
		"launcher_mode = \"batch\"\n":                      `p.toml:6: general.podman.launcher: sbatch requires launcher_mode = "batch", and that mode requires sbatch, got "srun"`,
		"scheduler_variable = \"A B\"\n":                   at + `scheduler_variable: want the name of a variable, got "A B"`,
		"service_url = \"unix:///x\"\n":                    at + "service_url: cannot be used with a launcher: a launcher runs podman itself",
		"disable_container_removal = true\n":               at + "disable_container_removal: cannot be used with a launcher: each container is removed when its step ends",
		"require_limits = true\n":                          at + "require_limits: cannot be used with a launcher: limits are enforced on another machine, where the driver cannot check them",
		"user_volume_variable = \"USER_VOLUMES\"\n":        at + "user_volume_variable: cannot be used with a launcher: the driver cannot pin the source of a mount on another machine",
		"[[general.podman.services]]\nname = \"redis\"\n":  at + "services: cannot be used with a launcher: the job gets no private network",
		"[general.podman.container]\nvolumes = [\"/x\"]\n": volumes,
	} {
		wantProblems(t, launching(more), want)
	}
	const head = "[general]\nrun_mechanism = \"podman\"\ndata_dir = \"/d\"\n[general.podman]\n"
	for lines, want := range map[string]string{
		"step_script_only = true\nlauncher = [\"./srun\"]\n":                `p.toml:6: general.podman.launcher: want the name of a program or an absolute path, got "./srun"`,
		"step_script_only = true\nlauncher = [\"/opt/slurm/bin/sbatch\"]\n": `p.toml:6: general.podman.launcher: sbatch requires launcher_mode = "batch", and that mode requires sbatch, got "/opt/slurm/bin/sbatch"`,
		"step_script_only = true\nlauncher = [\"srun\", \"\"]\n":            "p.toml:6: general.podman.launcher: entry 2: want a non-empty string without NUL bytes",
		"step_script_only = true\nlauncher = [\"srun\", \"{CI}\"]\n":        "p.toml:6: general.podman.launcher: entry 2: unknown placeholder {CI}: want {job_id}, {job_name}, {project_id}, {project}",
		"runner_image = \"x\"\nlauncher = [\"srun\"]\n":                     "p.toml:4: general.podman.step_script_only: missing: a launcher requires step_script_only = true: it only runs the job's own scripts",
	} {
		wantProblems(t, head+lines, want)
	}
}

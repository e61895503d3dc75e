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
	const volumes = "p.toml:8: general.podman.container.volumes: not with a launcher: /x would be a volume of the project's own, which each machine has for itself; name a directory of the host"
	for more, want := range map[string]string{
		"launcher_mode = \"both\"\n":                       at + `launcher_mode: unknown value "both": want attached, batch`,
		"launcher_mode = \"batch\"\n":                      `p.toml:6: general.podman.launcher: sbatch and launcher_mode = "batch" need each other, got "srun"`,
		"scheduler_variable = \"A B\"\n":                   at + `scheduler_variable: want the name of a variable, got "A B"`,
		"service_url = \"unix:///x\"\n":                    at + "service_url: not with a launcher: a launcher runs podman itself",
		"disable_container_removal = true\n":               at + "disable_container_removal: not with a launcher: with a launcher a container is gone with its step",
		"require_limits = true\n":                          at + "require_limits: not with a launcher: with a launcher limits are enforced elsewhere, where the driver cannot look",
		"user_volume_variable = \"USER_VOLUMES\"\n":        at + "user_volume_variable: not with a launcher: where the container runs, the driver cannot see to it that a mount stays what was checked",
		"[[general.podman.services]]\nname = \"redis\"\n":  at + "services: not with a launcher: with a launcher there is no network of the job's own",
		"[general.podman.container]\nvolumes = [\"/x\"]\n": volumes,
	} {
		wantProblems(t, launching(more), want)
	}
	const head = "[general]\nrun_mechanism = \"podman\"\ndata_dir = \"/d\"\n[general.podman]\n"
	for lines, want := range map[string]string{
		"step_script_only = true\nlauncher = [\"./srun\"]\n":                `p.toml:6: general.podman.launcher: want a program's name or its absolute path, got "./srun"`,
		"step_script_only = true\nlauncher = [\"/opt/slurm/bin/sbatch\"]\n": `p.toml:6: general.podman.launcher: sbatch and launcher_mode = "batch" need each other, got "/opt/slurm/bin/sbatch"`,
		"step_script_only = true\nlauncher = [\"srun\", \"\"]\n":            "p.toml:6: general.podman.launcher: entry 2: want a word, got an empty string or one with a NUL byte",
		"step_script_only = true\nlauncher = [\"srun\", \"{CI}\"]\n":        "p.toml:6: general.podman.launcher: entry 2: unknown placeholder {CI}: want {job_id}, {job_name}, {project_id}, {project}",
		"runner_image = \"x\"\nlauncher = [\"srun\"]\n":                     "p.toml:4: general.podman.step_script_only: missing: a launcher needs step_script_only = true: only the job's own scripts run elsewhere",
	} {
		wantProblems(t, head+lines, want)
	}
}

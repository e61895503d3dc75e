// Command gitlab-runner is GitLab's own runner, built from its Go module, for tests that must talk to the real thing.
//
// It registers the executors and commands that the tests need the way the module's own main does, and leaves out the
// rest: the executors for virtual machines, Kubernetes and autoscaling, caches in other places than S3, and the commands
// fleeting, steps and wrapper. The same binary serves as gitlab-runner and gitlab-runner-helper inside a job's containers.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli"

	"gitlab.com/gitlab-org/gitlab-runner/commands"
	"gitlab.com/gitlab-org/gitlab-runner/commands/helpers"
	"gitlab.com/gitlab-org/gitlab-runner/common"
	"gitlab.com/gitlab-org/gitlab-runner/executors"
	"gitlab.com/gitlab-org/gitlab-runner/executors/custom"
	"gitlab.com/gitlab-org/gitlab-runner/executors/docker"
	"gitlab.com/gitlab-org/gitlab-runner/executors/shell"
	clihelpers "gitlab.com/gitlab-org/gitlab-runner/helpers/cli"
	"gitlab.com/gitlab-org/gitlab-runner/log"
	"gitlab.com/gitlab-org/gitlab-runner/network"
	"gitlab.com/gitlab-org/gitlab-runner/router"

	_ "gitlab.com/gitlab-org/gitlab-runner/cache/s3v2" // registers caches in S3
	_ "gitlab.com/gitlab-org/gitlab-runner/shells"     // registers the shells
)

func main() {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(*logrus.Entry); ok { // a log.Panic, already printed
				os.Exit(1)
			}
			panic(r)
		}
	}()

	providers := newProviders()
	client, collector := newClient(providers)
	defer client.Shutdown()

	app := cli.NewApp()
	app.Name = filepath.Base(os.Args[0])
	app.Usage = "a GitLab Runner"
	app.Version = common.AppVersion.ShortLine()
	cli.VersionPrinter = common.AppVersion.Printer
	app.Commands = newCommands(client, collector, providers)
	app.CommandNotFound = func(_ *cli.Context, command string) {
		logrus.Fatalln("Command", command, "not found.")
	}

	clihelpers.InitCli()
	clihelpers.LogRuntimePlatform(app)
	clihelpers.SetupCPUProfile(app)
	clihelpers.FixHOME(app)
	clihelpers.WarnOnBool(os.Args)
	log.ConfigureLogging(app)

	if err := app.Run(os.Args); err != nil {
		logrus.Fatal(err)
	}
}

func newProviders() executors.Providers {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	registry := executors.NewProviderRegistry(map[string]common.ExecutorProvider{
		"custom": custom.NewProvider("gitlab-runner"),
		"docker": docker.NewProvider(),
		"shell":  shell.NewProvider(self),
	})
	for name, provider := range registry.All() {
		if err := common.ValidateExecutorProvider(provider); err != nil {
			panic(fmt.Sprintf("executor %s cannot be registered: %v", name, err))
		}
	}
	return registry
}

func newClient(providers executors.Providers) (*router.Client, *network.APIRequestsCollector) {
	collector := network.NewAPIRequestsCollector()
	certificates := commands.GetDefaultCertificateDirectory()
	direct := network.NewGitLabClient(
		network.WithAPIRequestsCollector(collector),
		network.WithCertificateDirectory(certificates),
		network.WithExecutorProviderFunc(providers.GetByName),
	)
	return router.NewClient(direct, certificates, common.AppVersion.UserAgent()), collector
}

func newCommands(n common.Network, collector *network.APIRequestsCollector, providers executors.Providers) []cli.Command {
	return append([]cli.Command{
		commands.NewListCommand(),
		commands.NewLintCommand(),
		commands.NewRegisterCommand(n, providers),
		commands.NewResetTokenCommand(n),
		commands.NewRunCommand(n, collector, providers),
		commands.NewRunSingleCommand(n, providers),
		commands.NewUnregisterCommand(n),
		commands.NewVerifyCommand(n),
		helpers.NewArtifactsDownloaderCommand(),
		helpers.NewArtifactsUploaderCommand(),
		helpers.NewCacheArchiverCommand(),
		helpers.NewCacheExtractorCommand(),
		helpers.NewCacheInitCommand(),
		helpers.NewHealthCheckCommand(),
		helpers.NewProbeURLCommand(),
		helpers.NewVerifyVersionCommand(),
		helpers.NewProxyExecCommand(),
		helpers.NewReadLogsCommand(),
	}, commands.NewServiceCommands()...)
}

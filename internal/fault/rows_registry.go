package fault

// registryRows are about pulls. A registry that cannot be reached comes before one that refuses,
// as in podman.PullRefused: "lookup host: not found" says nothing about an image.
var registryRows = []Row{
	{
		Name: "no-policy-json", Says: `policy\.json: no such file or directory|no policy\.json file found`,
		Cause: "/etc/containers/policy.json is missing, without which podman pulls nothing", Cure: "bring it back (Debian: `apt install --reinstall -o Dpkg::Options::=--force-confmiss golang-github-containers-common`, Fedora: `dnf reinstall containers-common`)",
		Fixtures: []string{"no-policy-json"}, Versions: both,
	},
	{
		Name: "unknown-authority", Verbs: pulls, Says: `https://([^/"]+)/.*x509: certificate signed by unknown authority`,
		Cause: "this host does not know the authority that signed the registry's certificate", Cure: "put the authority's certificate into /etc/containers/certs.d/${1}/ca.crt, or that host's authorities (`update-ca-certificates`)",
		Fixtures: []string{"unknown-authority"}, Versions: both,
	},
	{
		Name: "certificate", Verbs: pulls, Says: `x509: `,
		Cause: "the registry's certificate does not fit its name, or is not valid now", Cure: "renew the certificate, and check the registry's name and this host's clock",
		Words:  `Get "https://registry.example.com/v2/": tls: failed to verify certificate: x509: certificate has expired or is not yet valid`,
		Source: "Go crypto/x509/verify.go",
	},
	{
		Name: "plain-http", Verbs: pulls, Says: `https://([^/"]+)/.*server gave HTTP response to HTTPS client`,
		Cause: "the registry ${1} speaks plain HTTP", Cure: "add `[[registry]]`, `location = \"${1}\"`, `insecure = true` to a file in /etc/containers/registries.conf.d, or give the registry a certificate",
		Fixtures: []string{"plain-http"}, Versions: both,
	},
	{
		Name: "rate-limit", Whose: Passing, Verbs: pulls, Says: `toomanyrequests|429 \(?too many requests|statuscode: 429|too many requests to registry`,
		Cause: "the registry's limit of pulls from this address or account is reached", Cure: "give jobs credentials (DOCKER_AUTH_CONFIG, or registry_auth_file in the policy), or set up a mirror: `[[registry.mirror]]` in /etc/containers/registries.conf.d",
		Fixtures: []string{"rate-limit"}, Versions: both,
	},
	{
		Name: "no-such-host", Whose: Passing, Verbs: pulls, Says: `lookup (\S+?)(?: on \S+)?: (?:no such host|server misbehaving|i/o timeout|temporary failure)`,
		Cause: "this host finds no address for ${1}", Cure: "check that name in `image:` and in the policy, and the name servers of this host (`getent hosts ${1}`)",
		Fixtures: []string{"no-such-host"}, Versions: both,
	},
	{
		Name: "unreachable", Whose: Passing, Verbs: pulls, Says: `dial tcp (\S+): .*(?:connection refused|no route to host|network is unreachable|i/o timeout)`,
		Cause: "nothing answers at ${1}, which is the registry or the proxy", Cure: "check that it runs and that this host may connect to it; a proxy is set by HTTP_PROXY and HTTPS_PROXY in `env` of [engine] in containers.conf",
		Fixtures: []string{"registry-refused"}, Versions: both,
	},
	{
		Name: "registry-down", Whose: Passing, Verbs: pulls, Says: `(?:status: |statuscode: |registry )(5[0-9][0-9])\b`,
		Cause: "the registry has an error of its own (${1})", Cure: "see the registry's log, or wait",
		Fixtures: []string{"registry-down"}, Versions: both,
	},
	{
		Name: "manifest-unknown", Whose: Authors, Verbs: pulls, Says: `manifest unknown|name unknown|reading manifest .* not found`,
		Cause: "the registry has no such image", Cure: "check the name and tag of `image:` in .gitlab-ci.yml",
		Fixtures: []string{"manifest-unknown"}, Versions: both,
	},
	{
		Name: "denied", Whose: Authors, Verbs: pulls, Says: `: denied|access to the resource is denied|: unauthorized|authentication required|40[13] \((?:forbidden|unauthorized)\)|statuscode: 40[13]|invalid username/password`,
		Cause: "the registry does not give out the image, or has none of that name", Cure: "check the name and tag of `image:` in .gitlab-ci.yml, and that the job may read it (DOCKER_AUTH_CONFIG, or the project's access to the registry)",
		Fixtures: []string{"denied", "unauthorized"}, Versions: both,
	},
}

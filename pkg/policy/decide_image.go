package policy

import "fmt"

func (p *Policy) decideImage(r Request, g *Grant) *Denial {
	const key = "general.podman.image_allow_list"
	pm := p.General.Podman
	if r.Image == "" {
		if pm.DefaultImage == "" {
			return p.denial("a job without an image", "",
				"the job has no `image:`, and the policy has no default_image",
				fmt.Sprintf("add `image:` to the job in .gitlab-ci.yml, or ask the administrator to set default_image in %s", p.file))
		}
		g.UserImage, g.DefaultImage = mustParseImage(pm.DefaultImage), true
		return nil
	}
	image, err := ParseImage(r.Image)
	if err != nil {
		return p.denial("the job's image", "", err.Error(), "write `image:` in .gitlab-ci.yml as registry/path:tag")
	}
	g.UserImage = image
	if len(pm.ImageAllowList) == 0 {
		return nil
	}
	rule, ok := match(pm.ImageAllowList, image.String())
	if !ok {
		return p.denial(fmt.Sprintf("image %q", image), key, "no entry of image_allow_list matches", "")
	}
	g.ImageRule = rule.Expression
	return nil
}

const platformHint = "write `platform:` in .gitlab-ci.yml as OS/ARCHITECTURE[/VARIANT], such as linux/arm64"

func (p *Policy) decidePlatform(r Request, g *Grant) *Denial {
	platform, err := ParsePlatform(r.Platform)
	if err != nil {
		return p.denial("the job's image:docker:platform", "", err.Error(), platformHint)
	}
	g.Platform = platform
	return nil
}

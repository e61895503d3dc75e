// Package ids tests the programs of the image that fit podman's ids to the container, with made-up maps of ids.
package ids

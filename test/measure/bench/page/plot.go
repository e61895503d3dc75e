package main

import (
	"bytes"
	"errors"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"podman-executor/test/measure/bench/results"
)

// colours are the executors', in their order. People who cannot tell red from green can tell
// them apart (Okabe and Ito).
var colours = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
	color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
}

// The plot's font, and those that browsers take where it is missing: the first two have its widths.
const (
	fontFamily = "font-family:Liberation Sans"
	fallbacks  = ",Arial,Helvetica,sans-serif"
)

// The size of the plot.
const (
	width  = 26 * vg.Centimeter
	height = 11 * vg.Centimeter
)

func init() { plot.DefaultFont.Variant = "Sans" }

// plotOf draws the median times as multiples of the docker executor's: a group of bars
// for each kind of job. Where there are none of the docker executor, there is no group.
func plotOf(r results.Results) ([]byte, error) {
	var kinds []results.Kind
	var names []string
	for _, k := range r.Kinds {
		if _, ok := r.Cell(k.Name, "docker"); ok {
			kinds = append(kinds, k)
			names = append(names, k.Title)
		}
	}
	if len(kinds) == 0 {
		return nil, errors.New("there are no times of the docker executor to compare with")
	}
	p := plot.New()
	p.Y.Label.Text = "time, docker executor = 1"
	p.Y.Min = 0
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	p.Add(grid)
	var entries []entry
	bar := vg.Length(0.62) * width / vg.Length(len(kinds)*len(r.Executors))
	for i, e := range r.Executors {
		values := make(plotter.Values, len(kinds))
		for j, k := range kinds {
			// Where an executor has no such jobs, its bar has no height.
			values[j], _ = r.Ratio(k.Name, e.Name, "docker")
		}
		bars, err := plotter.NewBarChart(values, bar)
		if err != nil {
			return nil, err
		}
		bars.Color = colours[i%len(colours)]
		bars.LineStyle.Width = 0
		bars.Offset = bar * (vg.Length(i) - vg.Length(len(r.Executors)-1)/2)
		p.Add(bars)
		entries = append(entries, entry{title: e.Title, colour: bars.Color})
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.5, float64(len(kinds))-0.5
	p.Y.Max *= 1.05
	return drawn(p, entries)
}

// drawn is the plot below its legend, as SVG.
func drawn(p *plot.Plot, entries []entry) ([]byte, error) {
	file := vgsvg.New(width, height)
	canvas := draw.New(file)
	canvas.FillPolygon(color.White, []vg.Point{{X: 0, Y: 0}, {X: width, Y: 0}, {X: width, Y: height}, {X: 0, Y: height}})
	style := legendStyle(p)
	taken := drawLegend(canvas, style, place(entries, style, width))
	p.Draw(draw.Crop(canvas, margin, -margin, 0, -taken))
	var svg bytes.Buffer
	if _, err := file.WriteTo(&svg); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(svg.Bytes(), []byte(fontFamily+";"), []byte(fontFamily+fallbacks+";")), nil
}

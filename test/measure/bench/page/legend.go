package main

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is an executor in the legend: a swatch of its colour and, right of that, its name.
type entry struct {
	title  string
	colour color.Color
	// left is where the swatch begins; row 0 is the highest.
	left vg.Length
	row  int
	// width is that of both, as wide as the name is in any usual font.
	width vg.Length
}

const (
	margin    = 3 * vg.Millimeter
	swatch    = 4 * vg.Millimeter
	gap       = 1.5 * vg.Millimeter // between a swatch and its name
	apart     = 5 * vg.Millimeter   // between entries
	rowHeight = 6 * vg.Millimeter
	// otherFonts is how much wider than in the plot's font a text may be: a reader may not have that. DejaVu Sans, wide as it
	// is, needs 1.2.
	otherFonts = 1.25
)

// legendStyle is that of the numbers at the axes.
func legendStyle(p *plot.Plot) draw.TextStyle {
	style := p.Legend.TextStyle
	style.Font.Size = p.X.Tick.Label.Font.Size
	return style
}

// place gives the entries places side by side, and another row where one does not fit.
func place(entries []entry, style draw.TextStyle, width vg.Length) []entry {
	placed := make([]entry, len(entries))
	left, row := vg.Length(margin), 0
	for i, e := range entries {
		e.width = swatch + gap + otherFonts*style.Width(e.title)
		if left > margin && left+e.width > width-margin {
			left, row = margin, row+1
		}
		e.left, e.row = left, row
		placed[i] = e
		left += e.width + apart
	}
	return placed
}

// drawLegend draws the entries at the top, and returns the height that they take.
func drawLegend(c draw.Canvas, style draw.TextStyle, entries []entry) vg.Length {
	style.XAlign, style.YAlign = draw.XLeft, draw.YBottom
	rows := 0
	for _, e := range entries {
		rows = max(rows, e.row+1)
		bottom := c.Max.Y - margin - vg.Length(e.row+1)*rowHeight
		c.FillPolygon(e.colour, []vg.Point{
			{X: e.left, Y: bottom},
			{X: e.left + swatch, Y: bottom},
			{X: e.left + swatch, Y: bottom + swatch},
			{X: e.left, Y: bottom + swatch},
		})
		c.FillText(style, vg.Point{X: e.left + swatch + gap, Y: bottom}, e.title)
	}
	return margin + vg.Length(rows)*rowHeight + margin
}

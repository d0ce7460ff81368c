package main

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
)

// diffContext is how many equal lines are shown around what differs.
const diffContext = 3

// unifiedDiff is what makes b of a, in the form that patch takes; nothing where
// they are equal.
func unifiedDiff(nameA, nameB string, a, b []byte) []byte {
	d := &lineDiff{a: bytes.SplitAfter(a, []byte("\n")), b: bytes.SplitAfter(b, []byte("\n"))}
	d.a, d.b = dropEmptyEnd(d.a), dropEmptyEnd(d.b)
	d.compare(0, len(d.a), 0, len(d.b))
	if len(d.edits) == 0 {
		return nil
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", nameA, nameB)
	for first := 0; first < len(d.edits); {
		last := first
		for last+1 < len(d.edits) && d.edits[last+1].a0-d.edits[last].a1 <= 2*diffContext {
			last++
		}
		d.hunk(&out, d.edits[first:last+1])
		first = last + 1
	}
	return out.Bytes()
}

// dropEmptyEnd drops what SplitAfter finds behind the last line feed.
func dropEmptyEnd(lines [][]byte) [][]byte {
	if n := len(lines); n > 0 && len(lines[n-1]) == 0 {
		return lines[:n-1]
	}
	return lines
}

// lineDiff finds the edits that make the lines b of the lines a.
type lineDiff struct {
	a, b  [][]byte
	edits []edit
}

// edit puts b[b0:b1] in the place of a[a0:a1].
type edit struct{ a0, a1, b0, b1 int }

// compare adds the edits of a stretch. Lines that both have once are what does
// not move; between them it looks again.
func (d *lineDiff) compare(a0, a1, b0, b1 int) {
	for a0 < a1 && b0 < b1 && bytes.Equal(d.a[a0], d.b[b0]) {
		a0, b0 = a0+1, b0+1
	}
	for a0 < a1 && b0 < b1 && bytes.Equal(d.a[a1-1], d.b[b1-1]) {
		a1, b1 = a1-1, b1-1
	}
	if a0 == a1 && b0 == b1 {
		return
	}
	anchors := d.anchors(a0, a1, b0, b1)
	if len(anchors) == 0 {
		d.small(a0, a1, b0, b1)
		return
	}
	for _, at := range anchors {
		d.compare(a0, at[0], b0, at[1])
		a0, b0 = at[0]+1, at[1]+1
	}
	d.compare(a0, a1, b0, b1)
}

// anchors are the pairs of equal lines that are once in each stretch, in the
// longest order that both have.
func (d *lineDiff) anchors(a0, a1, b0, b1 int) [][2]int {
	if a0 == a1 || b0 == b1 {
		return nil
	}
	type seen struct{ inA, inB, atA, atB int }
	lines := map[string]*seen{}
	at := func(line []byte) *seen {
		s := lines[string(line)]
		if s == nil {
			s = &seen{}
			lines[string(line)] = s
		}
		return s
	}
	for i := a0; i < a1; i++ {
		s := at(d.a[i])
		s.inA, s.atA = s.inA+1, i
	}
	for i := b0; i < b1; i++ {
		s := at(d.b[i])
		s.inB, s.atB = s.inB+1, i
	}
	var pairs [][2]int
	for i := a0; i < a1; i++ {
		if s := lines[string(d.a[i])]; s.inA == 1 && s.inB == 1 {
			pairs = append(pairs, [2]int{i, s.atB})
		}
	}
	return increasing(pairs)
}

// increasing is the longest part of pairs, which are in the order of their
// first numbers, whose second numbers increase too.
func increasing(pairs [][2]int) [][2]int {
	// ends[n] is the pair that the best chain of n+1 ends with; before links
	// each pair to the one ahead of it in its chain.
	var ends []int
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n := sort.Search(len(ends), func(n int) bool { return pairs[ends[n]][1] > p[1] })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	if len(ends) == 0 {
		return nil
	}
	var out [][2]int
	for i := ends[len(ends)-1]; i >= 0; i = before[i] {
		out = append(out, pairs[i])
	}
	slices.Reverse(out)
	return out
}

// smallStretch bounds the work where no line is there once.
const smallStretch = 1 << 16

// small adds the edits of a stretch without anchors: the fewest where it is
// small, else all of it.
func (d *lineDiff) small(a0, a1, b0, b1 int) {
	n, m := a1-a0, b1-b0
	if n == 0 || m == 0 || n*m > smallStretch {
		d.add(edit{a0, a1, b0, b1})
		return
	}
	// common[i][j] is how many lines a[a0+i:a1] and b[b0+j:b1] have in common.
	common := make([][]int, n+1)
	for i := range common {
		common[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if bytes.Equal(d.a[a0+i], d.b[b0+j]) {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < n || j < m {
		switch {
		case i < n && j < m && bytes.Equal(d.a[a0+i], d.b[b0+j]):
			i, j = i+1, j+1
		case j == m || i < n && common[i+1][j] >= common[i][j+1]:
			d.add(edit{a0 + i, a0 + i + 1, b0 + j, b0 + j})
			i++
		default:
			d.add(edit{a0 + i, a0 + i, b0 + j, b0 + j + 1})
			j++
		}
	}
}

// add adds an edit, to the last one where it follows at once.
func (d *lineDiff) add(e edit) {
	if n := len(d.edits); n > 0 && d.edits[n-1].a1 == e.a0 && d.edits[n-1].b1 == e.b0 {
		d.edits[n-1].a1, d.edits[n-1].b1 = e.a1, e.b1
		return
	}
	d.edits = append(d.edits, e)
}

// hunk writes edits that are near each other with the lines around them.
func (d *lineDiff) hunk(out *bytes.Buffer, edits []edit) {
	first, last := edits[0], edits[len(edits)-1]
	before := min(diffContext, first.a0)
	after := min(diffContext, len(d.a)-last.a1)
	a0, a1 := first.a0-before, last.a1+after
	fmt.Fprintf(out, "@@ -%s +%s @@\n", lineRange(a0, a1), lineRange(first.b0-before, last.b1+after))
	for _, e := range edits {
		d.write(out, ' ', d.a[a0:e.a0])
		d.write(out, '-', d.a[e.a0:e.a1])
		d.write(out, '+', d.b[e.b0:e.b1])
		a0 = e.a1
	}
	d.write(out, ' ', d.a[a0:a1])
}

// write writes lines behind a mark.
func (d *lineDiff) write(out *bytes.Buffer, mark byte, lines [][]byte) {
	for _, line := range lines {
		out.WriteByte(mark)
		out.Write(line)
		if !bytes.HasSuffix(line, []byte("\n")) {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// lineRange is a stretch of lines as a hunk's head names it.
func lineRange(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

package sim

import "time"

// event is something that is going to happen.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

// queue is a heap of events; of those of one moment the first planned comes first.
type queue struct {
	heap []event
	seq  int
}

func (q *queue) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) swap(i, j int) { q.heap[i], q.heap[j] = q.heap[j], q.heap[i] }

func (q *queue) push(at time.Duration, do func()) {
	q.seq++
	q.heap = append(q.heap, event{at, q.seq, do})
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			break
		}
		q.swap(i, parent)
		i = parent
	}
}

// pop takes the first event out of a queue that has one.
func (q *queue) pop() event {
	first, last := q.heap[0], len(q.heap)-1
	q.heap[0] = q.heap[last]
	q.heap[last] = event{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.less(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		q.swap(i, least)
		i = least
	}
}

import type { Child } from 'hono/jsx'
import { type Reader, showRelative } from '../reader/reader.ts'

/** A time; without children relative to now. The title always is the whole one. */
export function Moment({ at, reader, children }: { at: number; reader: Reader; children?: Child }) {
  return (
    <time datetime={new Date(at).toISOString()} title={reader.times.whole(at)}>
      {children ?? showRelative(reader, at)}
    </time>
  )
}

import type { Child } from 'hono/jsx'
import type { Reader } from '../reader/reader.ts'

/** The head of a page: where it is, its name, and what can be done. */
export function Head({
  title,
  crumbs,
  beside,
  about,
  kind,
  below,
  actions,
  reader: { text },
}: {
  title: Child
  crumbs?: Child
  beside?: Child
  /** A sentence below it. */
  about?: string | undefined
  /** `tabbed`: tabs follow. */
  kind?: 'tabbed'
  /** What stands in place of that sentence. */
  below?: Child
  actions?: Child
  reader: Reader
}) {
  const heading = <h1>{title}</h1>
  return (
    <div class={kind === undefined ? 'head' : `head ${kind}`}>
      {crumbs === undefined && beside === undefined && about === undefined && below === undefined ? (
        heading
      ) : (
        <div>
          {crumbs === undefined ? null : (
            <nav class="crumbs" aria-label={text('crumbs')}>
              {crumbs}
            </nav>
          )}
          {beside === undefined ? (
            heading
          ) : (
            <div class="title">
              {heading}
              {beside}
            </div>
          )}
          {about === undefined ? null : <p class="dim">{about}</p>}
          {below}
        </div>
      )}
      {actions === undefined ? null : <div class="acts">{actions}</div>}
    </div>
  )
}

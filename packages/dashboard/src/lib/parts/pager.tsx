import type { Child } from 'hono/jsx'
import { type Query, type Reader } from '../reader/reader.ts'
import { Icon } from './icon.tsx'

/** What a list is, and the way to its older rows. Lists go on by key, so they have no page numbers and no totals. */
export function Pager({
  path,
  query,
  next,
  reader,
  children,
}: {
  path: readonly string[]
  /** The filter of the list, with `before` of this page. */
  query: Query
  next: string | undefined
  reader: Reader
  children: Child
}) {
  const { text, link } = reader
  const isFirst = query['before'] === undefined
  return (
    <div class="pager">
      <span>{children}</span>
      <span class="row">
        <a
          class="btn sm"
          {...(isFirst ? { 'aria-disabled': 'true' } : { href: link(...path, { ...query, before: undefined }) })}
        >
          <Icon name="left" />
          {text('pager.newest')}
        </a>
        <a
          class="btn sm"
          {...(next === undefined ? { 'aria-disabled': 'true' } : { href: link(...path, { ...query, before: next }) })}
        >
          {text('pager.older')}
          <Icon name="right" />
        </a>
      </span>
    </div>
  )
}

/** What a list is, and the way to its next rows, where its page is full. The list is in the order of ids. */
export function NextPager({
  next,
  reader: { text },
  children,
}: {
  next: string | undefined
  reader: Reader
  children?: Child
}) {
  return (
    <div class="pager">
      <span>{children}</span>
      {next === undefined ? null : (
        <a class="btn sm" href={next}>
          {text('pager.next')}
          <Icon name="right" />
        </a>
      )}
    </div>
  )
}

import type { Reader } from '../../reader/reader.ts'

/** The head of the event types and of the published events, which are two lists of one part. */
export function EventTabs({ current, reader: { text, link } }: { current: 'types' | 'published'; reader: Reader }) {
  return (
    <>
      <div class="head tabbed">
        <h1>{text('nav.events')}</h1>
      </div>
      <nav class="tabs" aria-label={text('nav.events')}>
        <a href={link('events')} aria-current={current === 'types' ? 'page' : undefined}>
          {text('events.catalog')}
        </a>
        <a href={link('published')} aria-current={current === 'published' ? 'page' : undefined}>
          {text('published.title')}
        </a>
      </nav>
    </>
  )
}

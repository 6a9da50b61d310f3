import type { EventType } from '@keepsend/engine'
import { Select } from '../../parts/select.tsx'
import { SearchField } from '../../parts/search-field.tsx'
import type { Reader } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'
import { EventTabs } from './event-tabs.tsx'

const DEFINE = `const catalog = defineEvents({
  'message.posted': event({ schema: messageSchema, description: 'A message was posted.' }),
})
const engine = createEngine({ db, queue, secrets, catalog })`

/** The catalog: the types of events that the app publishes. */
export const eventsPage: Page = {
  path: '/events',
  section: 'events',
  show(visit) {
    const { engine, reader } = visit
    const { text } = reader
    const { q, show } = queryOf(visit, ['q', 'show'])
    const all = engine.eventTypes()
    const wanted = q?.toLowerCase() ?? ''
    const types = all.filter(
      ({ type, description, deprecated }) =>
        `${type} ${description ?? ''}`.toLowerCase().includes(wanted) &&
        (show === undefined || deprecated === (show === 'deprecated')),
    )
    const main = (
      <>
        <EventTabs current="types" reader={reader} />
        {all.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('events.none')}</h2>
              <p class="dim">{text('events.none_how')}</p>
            </div>
            <pre class="code" tabindex={0}>
              {DEFINE}
            </pre>
          </section>
        ) : (
          <>
            <Filter q={q} show={show} reader={reader} />
            {types.length === 0 ? (
              <section class="empty">
                <div class="stack">
                  <h2>{text('events.no_match')}</h2>
                </div>
              </section>
            ) : (
              <Types types={types} reader={reader} />
            )}
            <div class="pager">
              <span>{text('events.pager', { n: all.length })}</span>
            </div>
          </>
        )}
      </>
    )
    return { title: text('nav.events'), main }
  },
}

function Filter({ q, show, reader }: { q: string | undefined; show: string | undefined; reader: Reader }) {
  const { text, link } = reader
  return (
    <form class="filters" method="get" role="search" aria-label={text('events.filter')} action={link('events')}>
      <SearchField label={text('events.search')} value={q} />
      <Select
        name="show"
        label={text('column.state')}
        value={show}
        choices={[
          ['', text('filter.all_types')],
          ['current', text('events.current')],
          ['deprecated', text('events.only_deprecated')],
        ]}
      />
      <button class="btn" type="submit">
        {text('filter.apply')}
      </button>
    </form>
  )
}

function Types({ types, reader }: { types: readonly EventType[]; reader: Reader }) {
  const { text, link } = reader
  return (
    <table class="rows">
      <caption class="sr">{text('nav.events')}</caption>
      <thead>
        <tr>
          <th scope="col">{text('column.type')}</th>
          <th scope="col">{text('fact.description')}</th>
          <th scope="col">
            <span class="sr">{text('column.actions')}</span>
          </th>
        </tr>
      </thead>
      {[...Map.groupBy(types, ({ type }) => type.split('.')[0] ?? type)].map(([group, ofGroup]) => (
        <tbody>
          <tr class="grp">
            <th scope="rowgroup" colspan={3}>
              <span class="mono">{group}.*</span>
            </th>
          </tr>
          {ofGroup.map(({ type, description, deprecated }) => (
            <tr>
              <td class="a">
                <a class="mono st" href={link('events', type)}>
                  {type}
                </a>{' '}
                {deprecated ? <span class="tag warn">{text('events.deprecated')}</span> : null}
              </td>
              <td class="fill b tx dim">{description ?? ''}</td>
              <td class="n f">
                <span class="row end">
                  <a class="btn sm" href={link('published', { type })}>
                    {text('published.title')}
                  </a>
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      ))}
    </table>
  )
}

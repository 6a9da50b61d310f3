import { EngineError } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Body } from '../../parts/json-view.tsx'
import type { PortalPage, PortalVisit } from '../portal-visit.ts'
import { SchemaFields } from '../../parts/schema-fields.tsx'
import { SearchField } from '../../parts/search-field.tsx'

// Enough for every workspace that a person made by hand.
const MAX_ENDPOINTS = 100

/** The event types that the sender has. */
export const portalEventsPage: PortalPage = {
  path: '/events',
  section: 'events',
  async show(visit) {
    const { engine, reader, query, sender } = visit
    const { text, link } = reader
    const wanted = (query('q') ?? '').slice(0, 200).toLowerCase()
    const types = engine
      .eventTypes({ deprecated: false })
      .filter(({ type, description }) => `${type} ${description ?? ''}`.toLowerCase().includes(wanted))
    const isSubscribed = await subscriptionsOf(visit)
    const title = text('nav.events')
    const main = (
      <>
        <Head title={title} about={text('portal.events_what', { sender })} reader={reader} />
        <div class="panel">
          <form class="filters" method="get" role="search" aria-label={text('nav.events')} action={link('events')}>
            <SearchField label={text('portal.events_find')} value={wanted} />
            <button class="btn" type="submit">
              {text('portal.find')}
            </button>
          </form>
          {types.length === 0 ? (
            <section class="empty">
              <h2>{text('portal.events_none')}</h2>
            </section>
          ) : (
            <table class="rows">
              <caption class="sr">{title}</caption>
              <thead>
                <tr>
                  <th scope="col">{text('column.type')}</th>
                  <th scope="col">{text('portal.happened')}</th>
                  <th scope="col">
                    <span class="sr">{text('portal.subscribed')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {types.map(({ type, description }) => (
                  <tr>
                    <td class="a">
                      <a class="mono st" href={link('events', type)}>
                        {type}
                      </a>
                    </td>
                    <td class="fill tx b dim">{description ?? ''}</td>
                    <td class="n c">
                      {isSubscribed(type) ? <span class="tag delivered">{text('portal.subscribed')}</span> : null}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
      </>
    )
    return { title, main }
  },
}

/** One event type: its fields and an example. */
export const portalEventPage: PortalPage = {
  path: '/events/:type',
  section: 'events',
  async show(visit) {
    const { engine, reader, param } = visit
    const { text, link } = reader
    const type = param('type')
    const found = engine.eventTypes().find((one) => one.type === type)
    if (!found) throw new EngineError('not_found', `the catalog has no type ${type}`)
    const isSubscribed = await subscriptionsOf(visit)
    const example = found.example === null ? undefined : JSON.stringify(found.example, null, 2)
    const main = (
      <>
        <Head
          title={<span class="mono">{type}</span>}
          crumbs={<a href={link('events')}>{text('nav.events')}</a>}
          beside={
            <>
              <Copy label={text('portal.copy_type')} text={type} />
              {isSubscribed(type) ? <span class="tag delivered">{text('portal.subscribed')}</span> : null}
              {found.deprecated ? <span class="tag warn">{text('events.deprecated')}</span> : null}
            </>
          }
          about={found.description ?? text('events.no_description')}
          reader={reader}
        />
        <div class="panel">
          <div class="sec-h">
            <h2>{text('portal.fields')}</h2>
          </div>
          <SchemaFields schema={found.jsonSchema} reader={reader} />
        </div>
        <section class="panel http" aria-labelledby="h-example">
          <header>
            <h2 id="h-example">{text('events.example')}</h2>
            {example === undefined ? null : <Copy label={text('copy.body')} text={example} />}
          </header>
          {example === undefined ? (
            <p class="dim">{text('events.no_example')}</p>
          ) : (
            <Body text={example} reader={reader} />
          )}
        </section>
      </>
    )
    return { title: type, main }
  },
}

/** Whether an endpoint of the customer gets a type. */
async function subscriptionsOf({ engine, workspaceId }: PortalVisit): Promise<(type: string) => boolean> {
  const endpoints = await engine.endpoints.list(workspaceId, { limit: MAX_ENDPOINTS })
  const patterns = new Set(endpoints.flatMap(({ eventTypes }) => eventTypes))
  // Patterns are a type, a prefix before `.*`, or `*`.
  return (type) => {
    const parts = type.split('.')
    const prefixes = parts.slice(0, -1).map((_, at) => `${parts.slice(0, at + 1).join('.')}.*`)
    return ['*', type, ...prefixes].some((pattern) => patterns.has(pattern))
  }
}

import { EngineError } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Body } from '../../parts/json-view.tsx'
import type { Page } from '../../site/visit.ts'
import { EventTabs } from './event-tabs.tsx'

const DEFINE = `const catalog = defineEvents({
  'message.posted': event({ schema: messageSchema, description: 'A message was posted.' }),
})
const engine = createEngine({ db, queue, secrets, catalog })`

/** The catalog: what the app publishes. */
export const eventsPage: Page = {
  path: '/events',
  section: 'events',
  show({ engine, reader }) {
    const { text, link } = reader
    const types = engine.eventTypes()
    const title = text('nav.events')
    const main = (
      <>
        <EventTabs current="types" reader={reader} />
        {types.length === 0 ? (
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
            <table class="rows">
              <caption class="sr">{title}</caption>
              <thead>
                <tr>
                  <th scope="col">{text('column.type')}</th>
                  <th scope="col">{text('fact.description')}</th>
                  <th scope="col" />
                </tr>
              </thead>
              <tbody>
                {types.map(({ type, description, deprecated }) => (
                  <tr>
                    <td class="a">
                      <a class="mono" href={link('events', type)}>
                        {type}
                      </a>
                    </td>
                    <td class="fill tx e">{description ?? ''}</td>
                    <td class="b">{deprecated ? <span class="tag warn">{text('events.deprecated')}</span> : null}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            <div class="pager">
              <span>{text('events.pager', { n: types.length })}</span>
            </div>
          </>
        )}
      </>
    )
    return { title, main }
  },
}

export const eventPage: Page = {
  path: '/events/:type',
  section: 'events',
  show({ engine, reader, param }) {
    const { text, link } = reader
    const type = param('type')
    const found = engine.eventTypes().find((one) => one.type === type)
    if (!found) throw new EngineError('not_found', `the catalog has no type ${type}`)
    const example = found.example === null ? undefined : JSON.stringify(found.example, null, 2)
    const schema = found.jsonSchema === null ? undefined : JSON.stringify(found.jsonSchema, null, 2)
    const main = (
      <>
        <Head
          title={<span class="mono">{type}</span>}
          crumbs={<a href={link('events')}>{text('nav.events')}</a>}
          beside={found.deprecated ? <span class="tag warn">{text('events.deprecated')}</span> : undefined}
          actions={
            <a class="btn" href={link('deliveries', { type })}>
              {text('nav.deliveries')}
            </a>
          }
          reader={reader}
        />
        <p class="sec">{found.description ?? text('events.no_description')}</p>
        <div class="grid2 flush">
          <section class="http">
            <header>
              <h2>{text('events.example')}</h2>
              {example === undefined ? null : <Copy label={text('copy.body')} text={example} />}
            </header>
            {example === undefined ? (
              <p class="dim">{text('events.no_example')}</p>
            ) : (
              <Body text={example} reader={reader} />
            )}
          </section>
          <section class="http">
            <header>
              <h2>{text('events.schema')}</h2>
              {schema === undefined ? null : <Copy label={text('copy.body')} text={schema} />}
            </header>
            {schema === undefined ? (
              <p class="dim">{text('events.no_schema')}</p>
            ) : (
              <Body text={schema} reader={reader} />
            )}
          </section>
        </div>
      </>
    )
    return { title: type, main }
  },
}

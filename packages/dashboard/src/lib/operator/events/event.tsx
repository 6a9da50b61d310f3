import { EngineError } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Body } from '../../parts/json-view.tsx'
import { SchemaFields } from '../../parts/schema-fields.tsx'
import { type Page, queryOf } from '../../site/visit.ts'

/** One type of the catalog: its fields, an example, and its versions. */
export const eventPage: Page = {
  path: '/events/:type',
  section: 'events',
  show(visit) {
    const { engine, reader, param } = visit
    const { text, link } = reader
    const type = param('type')
    const found = engine.eventTypes().find((one) => one.type === type)
    if (!found) throw new EngineError('not_found', `the catalog has no type ${type}`)
    const { version } = queryOf(visit, ['version'])
    const chosen = found.versions.find(({ labels }) => version !== undefined && labels.includes(version)) ?? found
    const example = chosen.example === null ? undefined : JSON.stringify(chosen.example, null, 2)
    const main = (
      <>
        <Head
          title={<span class="mono">{type}</span>}
          crumbs={<a href={link('events')}>{text('nav.events')}</a>}
          beside={
            <>
              <Copy label={text('copy.type')} text={type} />
              {found.deprecated ? <span class="tag warn">{text('events.deprecated')}</span> : null}
            </>
          }
          actions={
            <>
              <a class="btn" href={link('published', { type })}>
                {text('published.title')}
              </a>
              <a class="btn" href={link('deliveries', { type })}>
                <Icon name="deliveries" />
                {text('events.deliveries')}
              </a>
            </>
          }
          reader={reader}
        />
        {found.versions.length < 2 ? null : (
          <nav class="tabs" aria-label={text('fact.event_version')}>
            {found.versions.map(({ labels }, at) => (
              <a
                class="mono"
                href={link('events', type, { version: labels[0] })}
                aria-current={(version === undefined ? at === 0 : labels.includes(version)) ? 'page' : undefined}
              >
                {labels.join(', ')}
              </a>
            ))}
          </nav>
        )}
        <div class="with-aside wide-aside">
          <div>
            <p class="sec">{found.description ?? text('events.no_description')}</p>
            <div class="sec-h">
              <h2>{text.rich('events.fields', { data: <span class="mono">data</span> })}</h2>
            </div>
            <SchemaFields schema={chosen.jsonSchema} reader={reader} />
          </div>
          <aside aria-labelledby="h-example">
            <section class="http">
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
          </aside>
        </div>
      </>
    )
    return { title: type, main }
  },
}

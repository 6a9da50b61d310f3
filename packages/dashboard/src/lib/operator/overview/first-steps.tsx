import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Visit } from '../../site/visit.ts'

const PUBLISH = `return commitWithEvents(c, {
  writes: [orm.insert(messages).values(message)],
  events: [{ type: 'message.posted', workspaceId: 'acme-freight', data: message }],
  response: { status: 201, body: message },
})`

/** The overview before there is a workspace. */
export function FirstSteps({ visit: { reader } }: { visit: Visit }) {
  const { text, link, canAct } = reader
  return (
    <>
      <Head title={text('nav.overview')} reader={reader} />
      <section class="empty">
        <div class="stack">
          <h2>{text('first.title')}</h2>
          <p class="dim">{text('first.why')}</p>
        </div>
        <ol class="steps">
          <li>
            <div>
              <h3>{text('first.endpoint')}</h3>
              <p class="dim">{text('first.endpoint_how')}</p>
              {canAct ? (
                <a class="btn primary" href={link('endpoints', 'new')}>
                  <Icon name="plus" />
                  {text('first.endpoint')}
                </a>
              ) : null}
            </div>
          </li>
          <li>
            <div>
              <h3>{text('first.publish')}</h3>
              <p class="dim">{text('first.publish_how')}</p>
              <pre class="code" tabindex={0}>
                {PUBLISH}
              </pre>
            </div>
          </li>
          <li>
            <div>
              <h3>{text('first.see')}</h3>
              <p class="dim">{text('first.see_how')}</p>
            </div>
          </li>
        </ol>
      </section>
    </>
  )
}

import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { EndpointStatus } from '../../parts/status.tsx'
import type { Page } from '../../site/visit.ts'
import { Keys, NewKey } from './keys.tsx'

const SHOWN_ENDPOINTS = 50

export const workspacePage: Page = {
  path: '/workspaces/:workspace',
  section: 'workspaces',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const id = visit.param('workspace')
    const endpoints = await engine.endpoints.list(id, { limit: SHOWN_ENDPOINTS })
    const keys = await engine.apiKeys.list(id)
    const main = (
      <>
        <Head
          title={id}
          crumbs={<a href={link('workspaces')}>{text('nav.workspaces')}</a>}
          actions={
            <a class="btn" href={link('deliveries', { workspace: id })}>
              <Icon name="deliveries" />
              {text('nav.deliveries')}
            </a>
          }
          reader={reader}
        />
        <section aria-labelledby="h-endpoints">
          <div class="sec-h">
            <h2 id="h-endpoints">{text('nav.endpoints')}</h2>
            {canAct ? (
              <a class="btn sm" href={link('endpoints', 'new', { workspace: id })}>
                <Icon name="plus" />
                {text('endpoints.add')}
              </a>
            ) : null}
          </div>
          <table class="rows">
            <caption class="sr">{text('nav.endpoints')}</caption>
            <tbody>
              {endpoints.map((endpoint) => (
                <tr>
                  <td class="fill a">
                    <ShownUrl url={endpoint.url} href={link('endpoints', id, endpoint.id)} />
                  </td>
                  <td class="b">
                    <EndpointStatus endpoint={endpoint} reader={reader} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section aria-labelledby="h-keys">
          <div class="sec-h">
            <h2 id="h-keys">{text('keys.title')}</h2>
          </div>
          {keys.length === 0 ? (
            <p class="sec dim">{text('keys.none')}</p>
          ) : (
            <Keys keys={keys} workspaceId={id} reader={reader} />
          )}
          {canAct ? <NewKey workspaceId={id} reader={reader} /> : null}
        </section>
      </>
    )
    return { title: id, main }
  },
}

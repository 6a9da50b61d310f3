import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { findEndpoint } from './find-endpoint.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const LENGTHS = [
  [15 * MINUTE_MS, 'pause.15min'],
  [HOUR_MS, 'overlap.1h'],
  [8 * HOUR_MS, 'pause.8h'],
  [24 * HOUR_MS, 'overlap.24h'],
  [7 * 24 * HOUR_MS, 'overlap.7d'],
  [30 * 24 * HOUR_MS, 'pause.30d'],
] as const

/** Asks how long an endpoint is paused. */
export const pauseEndpointPage: Page = {
  path: '/endpoints/:workspace/:id/pause',
  section: 'endpoints',
  async show(visit) {
    const { reader } = visit
    const { text, link } = reader
    const { workspaceId, endpoint } = await findEndpoint(visit)
    const title = text('pause.title')
    const here = link('endpoints', workspaceId, endpoint.id)
    const main = (
      <form class="page-mid" method="post" action={here}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>
          {text.rich('confirm.endpoint', { url: <span class="mono">{endpoint.url}</span>, workspace: workspaceId })}
        </p>
        <ul class="list plain-list">
          <li>{text('pause.then')}</li>
          <li>{text('pause.end')}</li>
        </ul>
        <div class="field">
          <label for="for">{text('pause.for')}</label>
          <select id="for" name="for" class="auto">
            {LENGTHS.map(([ms, name]) => (
              <option value={ms} selected={ms === HOUR_MS}>
                {text(name)}
              </option>
            ))}
          </select>
        </div>
        <div class="row">
          <button class="btn primary" name="do" value="pause">
            {text('endpoint.pause')}
          </button>
          <a class="btn" href={here}>
            {text('confirm.keep')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
}

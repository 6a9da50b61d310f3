import { allWorkspaces } from '@keepsend/engine'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { skippedOf } from '../../history/replay-counts.ts'

/** A confirmation: a cancelled replay does not go on. */
export const cancelReplayPage: Page = {
  path: '/replays/:id/cancel',
  section: 'replays',
  async show({ engine, reader, param }) {
    const { text, link } = reader
    const job = await engine.replays.get(allWorkspaces, param('id'))
    const title = text('cancel.title')
    const here = link('replays', job.id)
    const waiting = Math.max(0, job.planned - job.sent - skippedOf(job))
    const main = (
      <form class="page-mid" method="post" action={link('replays', job.workspaceId, job.id)}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>{text('cancel.what', { what: text(`what.${job.what}`), workspace: job.workspaceId })}</p>
        <ul class="list plain-list">
          <li>{text('cancel.waiting', { n: waiting })}</li>
          <li>{text('cancel.sent', { n: job.sent })}</li>
          <li>{text('cancel.instead')}</li>
        </ul>
        <div class="row">
          <button class="btn danger primary" name="do" value="cancel">
            {text('replay.cancel')}
          </button>
          {job.state === 'running' ? (
            <button class="btn" name="do" value="pause">
              {text('endpoint.pause')}
            </button>
          ) : null}
          <a class="btn" href={here}>
            {text('confirm.keep')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
}

import { allWorkspaces } from '@keepsend/engine'
import { planned, skippedOf } from '../../history/replay-counts.ts'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Bar } from '../../parts/bar.tsx'
import { Moment } from '../../parts/moment.tsx'
import { Pager } from '../../parts/pager.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { showNumber } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'
import { urlsOf } from '../../history/urls-of.ts'
import { JobStatus, LIVE_MS } from './replay-state.tsx'

const PAGE_ROWS = 50

export const replaysPage: Page = {
  path: '/replays',
  section: 'replays',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const query = queryOf(visit, ['before'])
    const { rows, next } = await engine.replays.list(allWorkspaces, { limit: PAGE_ROWS, before: query.before })
    const urls = await urlsOf(engine, rows)
    const title = text('nav.replays')
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            canAct ? (
              <a class="btn primary" href={link('replays', 'new')}>
                <Icon name="plus" />
                {text('replay.new')}
              </a>
            ) : undefined
          }
        />
        {rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('replays.none')}</h2>
              <p class="dim">{text('replays.what')}</p>
            </div>
          </section>
        ) : (
          <table class="rows">
            <caption class="sr">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{text('column.state')}</th>
                <th scope="col">{text('column.what')}</th>
                <th scope="col">{text('column.endpoint')}</th>
                <th scope="col" class="lo">
                  {text('column.workspace')}
                </th>
                <th scope="col">{text('replay.progress')}</th>
                <th scope="col" class="n">
                  {text('column.sent')}
                </th>
                <th scope="col" class="n">
                  {text('column.planned')}
                </th>
                <th scope="col" class="n">
                  {text('column.created')}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((job) => {
                const url = job.endpointId === null ? undefined : urls.get(job.endpointId)
                return (
                  <tr>
                    <td class="a nw">
                      <a href={link('replays', job.id)}>
                        <JobStatus job={job} reader={reader} />
                      </a>
                    </td>
                    <td class="b">{text(`what.${job.what}`)}</td>
                    <td class="fill e">
                      {url === undefined ? (
                        <span class="dim">{job.endpointId ?? text('replay.all_endpoints')}</span>
                      ) : (
                        <ShownUrl url={url} href={link('endpoints', job.workspaceId, job.endpointId ?? '')} />
                      )}
                    </td>
                    <td class="lo dim nw">{job.workspaceId}</td>
                    <td class="bar-cell">
                      <Bar
                        done={job.sent}
                        skipped={skippedOf(job)}
                        whole={job.planned}
                        label={text('replay.of', { sent: job.sent, planned: planned(job, reader) })}
                      />
                    </td>
                    <td class="n c">{showNumber(reader, job.sent)}</td>
                    <td class="n">{planned(job, reader)}</td>
                    <td class="n d dim">
                      <Moment at={job.createdAt} reader={reader} />
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        )}
        {rows.length === 0 ? null : (
          <Pager path={['replays']} query={query} next={next} reader={reader}>
            {text('replays.retained')}
          </Pager>
        )}
      </>
    )
    return { title, main, liveMs: rows.some(({ endedAt }) => endedAt === null) ? LIVE_MS : undefined }
  },
}

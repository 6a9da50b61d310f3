import { EngineError, allWorkspaces } from '@keepsend/engine'
import type { Action } from '../../site/visit.ts'
import { PAGE_ROWS } from './delivery-filters.tsx'
import { MiddlePage } from '../../site/problem-page.tsx'

export const DELIVERY_ACTIONS: readonly Action[] = [
  {
    path: '/deliveries/:id',
    section: 'deliveries',
    async act({ engine, reader, param, field, by }) {
      const id = param('id')
      const { workspaceId } = await engine.deliveries.get(allWorkspaces, id)
      const verb = field('do')
      if (verb === 'replay') await engine.deliveries.replay(workspaceId, id, { by })
      else if (verb === 'retry-now') await engine.deliveries.retryNow(workspaceId, id, { by })
      else if (verb === 'give-up') await engine.deliveries.giveUp(workspaceId, id, { by })
      else
        throw new EngineError(
          'invalid_request',
          `a delivery can be replayed, retried now or given up; found ${verb ?? 'nothing'}`,
        )
      return reader.link('deliveries', id)
    },
  },
  {
    path: '/deliveries',
    section: 'deliveries',
    async act({ engine, reader, fields, by }) {
      const { text, link } = reader
      const ids = fields('id')
      if (ids.length > PAGE_ROWS)
        throw new EngineError(
          'invalid_request',
          `at most ${PAGE_ROWS} deliveries are replayed at a time; found ${ids.length}: use a replay`,
        )
      const refused: { id: string; why: string }[] = []
      let replayed = 0
      for (const id of ids) {
        try {
          const { workspaceId } = await engine.deliveries.get(allWorkspaces, id)
          await engine.deliveries.replay(workspaceId, id, { by })
          replayed++
        } catch (error) {
          if (!(error instanceof EngineError)) throw error
          refused.push({ id, why: error.message })
        }
      }
      if (refused.length === 0) return link('deliveries')
      const title = text('replayed.title', { n: replayed })
      const main = (
        <MiddlePage
          title={title}
          way={
            <a class="btn primary" href={link('deliveries')}>
              {text('nav.deliveries')}
            </a>
          }
        >
          <p>{text('replayed.refused', { n: refused.length })}</p>
          <ul>
            {refused.map(({ id, why }) => (
              <li>
                <a class="mono" href={link('deliveries', id)}>
                  {id}
                </a>
                : {why}
              </li>
            ))}
          </ul>
        </MiddlePage>
      )
      return { title, main }
    },
  },
]

import { type Engine, EngineError, allWorkspaces } from '@keepsend/engine'
import { FormToken } from '../../parts/form-token.tsx'
import type { PluralKey } from '../../language/text.ts'
import { isWithin } from '../../reader/preferences.ts'
import type { Reader } from '../../reader/reader.ts'
import { MiddlePage } from '../../site/problem-page.tsx'
import type { Action, Sent, Shown } from '../../site/visit.ts'
import { PAGE_ROWS } from '../../history/delivery-choices.ts'

/** The verbs of a delivery, and how the page of a chosen number says that they were done. */
const VERBS = {
  replay: 'replayed.title',
  'retry-now': 'retried.title',
  'give-up': 'given_up.title',
} as const satisfies Record<string, PluralKey>

type Verb = keyof typeof VERBS

export const DELIVERY_ACTIONS: readonly Action[] = [
  {
    path: '/deliveries/:id',
    section: 'deliveries',
    async act({ engine, reader, param, field, by }) {
      const id = param('id')
      await move(engine, verbOf(field('do')), id, by)
      return reader.link('deliveries', id)
    },
  },
  {
    path: '/deliveries',
    section: 'deliveries',
    async act(sent) {
      const { engine, reader, field, fields, by } = sent
      const ids = fields('id')
      if (ids.length > PAGE_ROWS)
        throw new EngineError(
          'invalid_request',
          `at most ${PAGE_ROWS} deliveries are moved at a time; found ${ids.length}: use a replay`,
        )
      if (field('do') === 'ask-give-up') return askGiveUp(ids, sent)
      const verb = verbOf(field('do'))
      const refused: { id: string; why: string }[] = []
      for (const id of ids) {
        try {
          await move(engine, verb, id, by)
        } catch (error) {
          if (!(error instanceof EngineError)) throw error
          refused.push({ id, why: error.message })
        }
      }
      return moved({ verb, count: ids.length - refused.length, refused, back: backOf(sent), reader })
    },
  },
]

function verbOf(asked: string | undefined): Verb {
  const verb = (Object.keys(VERBS) as Verb[]).find((one) => one === asked)
  if (verb) return verb
  throw new EngineError(
    'invalid_request',
    `a delivery can be replayed, retried now or given up; found ${asked ?? 'nothing'}`,
  )
}

async function move({ deliveries }: Engine, verb: Verb, id: string, by: string): Promise<void> {
  const { workspaceId } = await deliveries.get(allWorkspaces, id)
  if (verb === 'replay') await deliveries.replay(workspaceId, id, { by })
  else if (verb === 'retry-now') await deliveries.retryNow(workspaceId, id, { by })
  else await deliveries.giveUp(workspaceId, id, { by })
}

/** The list that the form was sent from. */
function backOf({ field, reader: { link } }: Sent): string {
  const back = field('back')
  return back !== undefined && isWithin(back, link()) ? back : link('deliveries')
}

/** A confirmation: giving up cannot be taken back by itself. */
function askGiveUp(ids: readonly string[], sent: Sent): Shown {
  const { reader } = sent
  const { text, link } = reader
  const title = text('give_up.title_many', { n: ids.length })
  const back = backOf(sent)
  const main = (
    <form class="page-mid" method="post" action={link('deliveries')}>
      <FormToken reader={reader} />
      <input type="hidden" name="back" value={back} />
      {ids.map((id) => (
        <input type="hidden" name="id" value={id} />
      ))}
      <h1>{title}</h1>
      <ul class="list plain-list">
        <li>{text('give_up.now_many')}</li>
        <li>{text('give_up.then_many')}</li>
      </ul>
      <div class="row">
        <button class="btn danger primary" name="do" value="give-up">
          {text('delivery.give_up')}
        </button>
        <a class="btn" href={back}>
          {text('confirm.keep')}
        </a>
      </div>
    </form>
  )
  return { title, main }
}

/** How many were moved, and which were not, with the reason of each. */
function moved({
  verb,
  count,
  refused,
  back,
  reader,
}: {
  verb: Verb
  count: number
  refused: readonly { id: string; why: string }[]
  back: string
  reader: Reader
}): Shown {
  const { text, link } = reader
  const title = text(VERBS[verb], { n: count })
  const way = (
    <a class="btn primary" href={back}>
      {text('nav.deliveries')}
    </a>
  )
  const main = (
    <MiddlePage title={title} way={way}>
      {refused.length === 0 ? null : (
        <>
          <p>{text('replayed.refused', { n: refused.length })}</p>
          <ul>
            {refused.map(({ id, why }) => (
              <li>
                <a class="mono" href={link('deliveries', id)}>
                  {id}
                </a>
                : <span lang="en">{why}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </MiddlePage>
  )
  return { title, main }
}

import type { TestAttempt } from '@keepsend/engine'
import { type TypedTest, tryTest } from '../../endpoint/try-test.ts'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Body } from '../../parts/json-view.tsx'
import { type Reader, showDuration } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Action, Page, Shown, Visit } from '../../site/visit.ts'
import { explainError, statusName } from '../../history/errors.ts'
import { Refusal } from '../../parts/refusal.tsx'
import { Select } from '../../parts/select.tsx'
import { breakable } from '../../parts/breakable.tsx'
import { findEndpoint } from './find-endpoint.ts'

/** A test event with a payload of the reader's own, and what the endpoint answered. */
export const endpointTestPage: Page = {
  path: '/endpoints/:workspace/:id/test',
  section: 'endpoints',
  show(visit) {
    const { engine, query } = visit
    const types = engine.eventTypes({ deprecated: false })
    const known = types.find(({ type }) => type === query('type')) ?? types[0]
    const typed = { type: known?.type ?? 'test', data: JSON.stringify(known?.example ?? { hello: 'world' }, null, 2) }
    return show(visit, typed)
  },
}

export const ENDPOINT_TEST_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/:workspace/:id/test',
    section: 'endpoints',
    async act(sent) {
      const { engine, param, field, by } = sent
      const typed = { type: field('type') ?? '', data: field('data') ?? '' }
      // What was typed stays, whatever is wrong with it.
      const place = { workspaceId: param('workspace'), id: param('id') }
      const result = await tryTest(engine, place, { ...typed, by })
      if ('attempt' in result) return show(sent, typed, result)
      return show(sent, typed, { problem: result.problem === 'object' ? 'the data must be an object' : result.said })
    },
  },
]

async function show(
  visit: Visit,
  typed: TypedTest,
  { attempt, problem }: { attempt?: TestAttempt; problem?: string } = {},
): Promise<Shown> {
  const { engine, reader } = visit
  const { text, link } = reader
  const { workspaceId, endpoint } = await findEndpoint(visit)
  const title = text('endpoint.test')
  const types = engine.eventTypes()
  const main = (
    <>
      <Head
        title={title}
        crumbs={
          <>
            <a href={link('endpoints')}>{text('nav.endpoints')}</a>
            <a class="mono" href={link('endpoints', workspaceId, endpoint.id)}>
              {breakable(endpoint.url)}
            </a>
          </>
        }
        reader={reader}
      />
      {problem === undefined ? null : <Refusal problem={problem} reader={reader} />}
      {attempt ? <Result attempt={attempt} reader={reader} /> : null}
      {types.length === 0 ? null : (
        <form class="filters" method="get" action={link('endpoints', workspaceId, endpoint.id, 'test')}>
          <Select
            name="type"
            label={text('column.type')}
            value={typed.type}
            choices={types.map(({ type }) => [type, type] as const)}
          />
          <button class="btn" type="submit">
            {text('test.use_example')}
          </button>
        </form>
      )}
      <form class="sec stack form" method="post" action={link('endpoints', workspaceId, endpoint.id, 'test')}>
        <FormToken reader={reader} />
        <div class="field">
          <label for="type">{text('column.type')}</label>
          <input id="type" name="type" list="types" required value={typed.type} spellcheck={false} />
          <datalist id="types">
            {types.map(({ type }) => (
              <option value={type} />
            ))}
          </datalist>
        </div>
        <div class="field">
          <label for="data">{text('test.data')}</label>
          <textarea id="data" name="data" rows={12} spellcheck={false}>
            {typed.data}
          </textarea>
          <p class="help">{text('test.what')}</p>
        </div>
        <div class="row">
          <button class="btn primary">{text('test.send')}</button>
          <a class="btn" href={link('endpoints', workspaceId, endpoint.id)}>
            {text('back')}
          </a>
        </div>
      </form>
    </>
  )
  return { title, main }
}

function Result({ attempt, reader }: { attempt: TestAttempt; reader: Reader }) {
  const { text } = reader
  const isDelivered = attempt.outcome === 'delivered'
  const { httpStatus, error, errorClass } = attempt
  const explained = explainError({ error, httpStatus, errorClass }, text, 'operator')
  const answer = explained?.name ?? (httpStatus === null ? text('delivery.no_response') : statusName(httpStatus))
  return (
    <>
      <div class={isDelivered ? 'note delivered' : 'note bad'} role="status">
        <Icon name={isDelivered ? 'delivered' : 'failed'} />
        <div>
          <h2>{text(isDelivered ? 'test.delivered' : 'test.failed')}</h2>
          <p>
            <span class="mono">{answer}</span>
            {attempt.totalUs === null ? '' : `, ${showDuration(reader, attempt.totalUs / 1000)}`}
          </p>
          {explained ? (
            <p>
              {explained.why} <b>{text('note.fix')}</b> {explained.fix}{' '}
              <a class="link" href={explained.docs}>
                {text('note.docs')}
              </a>
            </p>
          ) : null}
        </div>
      </div>
      {attempt.body === null ? null : (
        <section class="http">
          <header>
            <h2>{text('delivery.response')}</h2>
          </header>
          <Body text={attempt.body} reader={reader} />
        </section>
      )}
    </>
  )
}

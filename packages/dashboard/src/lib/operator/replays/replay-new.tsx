import { EngineError } from '@keepsend/engine'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { type Page, queryOf } from '../../site/visit.ts'
import { WHATS, inputOf } from './replay-form.ts'
import { planned } from './replay-state.tsx'

/** The form of a replay. With a workspace it counts what would be sent: a GET, so that the count can be repeated. */
export const replayNewPage: Page = {
  path: '/replays/new',
  section: 'replays',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const query = queryOf(visit, ['what', 'workspace', 'endpoint', 'from', 'to', 'rate'])
    let problem: string | undefined
    const plan =
      query.workspace === undefined
        ? undefined
        : await engine.replays
            .create(query.workspace, { ...inputOf(visit.query), dryRun: true })
            .catch((error: unknown) => {
              if (!(error instanceof EngineError) || error.code === 'not_accepted') throw error
              problem = error.message
              return undefined
            })
    const title = text('replay.new')
    const main = (
      <>
        <Head title={title} crumbs={<a href={link('replays')}>{text('nav.replays')}</a>} reader={reader} />
        {problem === undefined ? null : (
          <div class="note bad" role="alert">
            <Icon name="failed" />
            <div>
              <h2>{text('form.refused')}</h2>
              <p>{problem}</p>
            </div>
          </div>
        )}
        <div class="with-aside wide-aside">
          <form method="get" action={link('replays', 'new')} class="sec stack form">
            <fieldset class="stack">
              <legend>{text('replay.what')}</legend>
              {WHATS.map((what) => (
                <label class="check">
                  <input type="radio" name="what" value={what} checked={what === (query.what ?? 'failed')} />
                  <span>
                    {text(`what.${what}`)}
                    <br />
                    <span class="help">{text(`what_help.${what}`)}</span>
                  </span>
                </label>
              ))}
            </fieldset>
            <div class="cols">
              <div class="field">
                <label for="workspace">{text('fact.workspace')}</label>
                <input id="workspace" name="workspace" required value={query.workspace ?? ''} />
              </div>
              <div class="field">
                <label for="endpoint">
                  {text('replay.endpoint_id')} <span class="opt">{text('form.optional')}</span>
                </label>
                <input id="endpoint" name="endpoint" value={query.endpoint ?? ''} />
              </div>
            </div>
            <div class="cols">
              <div class="field">
                <label for="from">{text('replay.from')}</label>
                <input id="from" name="from" type="datetime-local" value={query.from ?? ''} />
              </div>
              <div class="field">
                <label for="to">
                  {text('replay.to')} <span class="opt">{text('replay.to_now')}</span>
                </label>
                <input id="to" name="to" type="datetime-local" value={query.to ?? ''} />
              </div>
            </div>
            <div class="field">
              <label for="rate">{text('replay.rate')}</label>
              <input id="rate" name="rate" type="number" min="1" max="10000" class="short" value={query.rate ?? ''} />
              <p class="help">{text('replay.rate_help')}</p>
            </div>
            <div>
              <button class="btn" type="submit">
                {text(plan ? 'replay.count_again' : 'replay.count')}
              </button>
            </div>
          </form>
          <aside aria-labelledby="h-count">
            <div class="sec stack">
              <h2 id="h-count">{text('replay.would')}</h2>
              {plan === undefined ? (
                <p class="dim">{text('replay.not_counted')}</p>
              ) : (
                <>
                  <p>
                    <span class="huge">{planned(plan, reader)}</span> {text('replay.deliveries')}
                  </p>
                  <p class="dim">{text('replay.until', { time: reader.times.whole(plan.until) })}</p>
                  {canAct && plan.planned > 0 ? (
                    <form method="post" action={link('replays')}>
                      <FormToken reader={reader} />
                      {Object.entries(query).map(([name, value]) =>
                        value === undefined ? null : <input type="hidden" name={name} value={value} />,
                      )}
                      <button class="btn primary" type="submit">
                        <Icon name="replay" />
                        {text('replay.start', { n: plan.planned })}
                      </button>
                    </form>
                  ) : null}
                  <p class="help">{text('replay.keeps')}</p>
                </>
              )}
            </div>
          </aside>
        </div>
      </>
    )
    return { title, main }
  },
}

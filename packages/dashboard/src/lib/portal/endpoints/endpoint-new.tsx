import { EngineError } from '@keepsend/engine'
import { EMPTY } from '../../endpoint/endpoint-input.ts'
import { Head } from '../../parts/head.tsx'
import type { Shown } from '../../site/visit.ts'
import { pageNeeding } from '../not-allowed.tsx'
import type { PortalAction, PortalVisit } from '../portal-visit.ts'
import { type PortalTyped, portalInputOf, portalTypedIn, problemOfError, problemsOf } from './endpoint-fields.ts'
import { EndpointForm, type FormState, statusOf } from './endpoint-form.tsx'
import { changedFilter, typedFilterOf } from './filter-typed.ts'
import { WhatItDoes } from './what-it-does.tsx'

export const portalEndpointNewPage = pageNeeding('endpoints:write', {
  path: '/endpoints/new',
  section: 'endpoints',
  show(visit) {
    const type = visit.query('type')
    const chosen = type === undefined ? {} : { all: false, types: [type] }
    const version = visit.engine.catalog?.versions.at(-1) ?? ''
    return newForm(visit, { typed: { ...EMPTY, ...chosen, filter: typedFilterOf(null), version } })
  },
})

export const portalEndpointNewAction: PortalAction = {
  path: '/endpoints/new',
  needs: 'endpoints:write',
  async act(sent) {
    const { engine, reader, workspaceId, by } = sent
    const typed = portalTypedIn(sent)
    const filter = changedFilter(typed.filter, sent.field('do') ?? '')
    if (filter) return newForm(sent, { typed: { ...typed, filter } })
    const problems = problemsOf(typed, engine, reader)
    if (problems.size > 0) return newForm(sent, { typed, problems })
    try {
      const { endpoint } = await engine.endpoints.create(workspaceId, portalInputOf(typed), { by })
      return reader.link('endpoints', endpoint.id)
    } catch (error) {
      return newForm(sent, refused(error, typed, sent))
    }
  },
}

/** What is wrong with a form that the engine refused; an error that is not about it goes on. */
export function refused(error: unknown, typed: PortalTyped, { sender, reader }: PortalVisit): FormState {
  if (!(error instanceof EngineError)) throw error
  const problems = problemOfError(error)
  if (problems) return { typed, problems }
  if (error.code === 'too_many_endpoints')
    return { typed, refusal: reader.text('portal.too_many_endpoints', { sender }) }
  if (error.code === 'precondition_failed')
    return { typed, refusal: reader.text('portal.changed_meanwhile'), status: 409 }
  if (error.code === 'invalid_endpoint' || error.code === 'invalid_request')
    return { typed, refusal: { english: error.message } }
  throw error
}

function newForm(visit: PortalVisit, state: FormState): Shown {
  const { reader } = visit
  const { text, link } = reader
  const title = text('endpoints.add_title')
  const main = (
    <>
      <Head title={title} crumbs={<a href={link()}>{text('nav.endpoints')}</a>} reader={reader} />
      <div class="split">
        <EndpointForm state={state} action={link('endpoints', 'new')} back={link()} visit={visit} />
        <WhatItDoes visit={visit} />
      </div>
    </>
  )
  return { title, main, status: statusOf(state) }
}

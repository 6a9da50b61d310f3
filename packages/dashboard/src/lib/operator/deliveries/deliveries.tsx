import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Pager } from '../../parts/pager.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { type Page, queryOf } from '../../site/visit.ts'
import { Chips, FILTERS, FilterForm, PAGE_ROWS } from './delivery-filters.tsx'
import { DeliveryRows } from '../../history/delivery-rows.tsx'
import { findDeliveries } from './find-deliveries.ts'
import { urlsOf } from '../../history/urls-of.ts'

export const deliveriesPage: Page = {
  path: '/deliveries',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link } = reader
    const filters = queryOf(visit, FILTERS)
    const { rows, next, complete } = await findDeliveries(engine, filters, reader)
    const urls = await urlsOf(engine, rows)
    const title = text('nav.deliveries')
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            <a class="btn" href={link('replays', 'new')}>
              <Icon name="replay" />
              {text('deliveries.replay_by_filter')}
            </a>
          }
        />
        <FilterForm filters={filters} types={engine.eventTypes().map(({ type }) => type)} reader={reader} />
        <Chips filters={filters} reader={reader} />
        {rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('deliveries.none')}</h2>
              <p class="dim">{complete ? text('deliveries.none_why') : text('deliveries.none_yet')}</p>
            </div>
            <div class="row">
              {next === undefined ? (
                <a class="btn primary" href={link('deliveries', { time: '30d' })}>
                  {text('deliveries.all')}
                </a>
              ) : (
                <a class="btn primary" href={link('deliveries', { ...filters, before: next })}>
                  {text('deliveries.search_on')}
                </a>
              )}
            </div>
          </section>
        ) : (
          <form class="picks" method="post" action={link('deliveries')}>
            <FormToken reader={reader} />
            <table class="rows">
              <caption class="sr">{text('deliveries.caption')}</caption>
              <thead>
                <tr>
                  <th scope="col" class="pick">
                    <input class="js" type="checkbox" data-all aria-label={text('deliveries.select_all')} />
                  </th>
                  <th scope="col">{text('column.status')}</th>
                  <th scope="col">{text('column.type')}</th>
                  <th scope="col">{text('column.endpoint')}</th>
                  <th scope="col" class="xl">
                    {text('column.workspace')}
                  </th>
                  <th scope="col" class="n">
                    {text('column.response')}
                  </th>
                  <th scope="col">{text('column.attempts')}</th>
                  <th scope="col" class="n lo">
                    {text('column.next')}
                  </th>
                  <th scope="col" class="n">
                    {text('column.created')}
                  </th>
                </tr>
              </thead>
              <tbody>
                <DeliveryRows rows={rows} urls={urls} reader={reader} />
              </tbody>
            </table>
            {reader.canAct ? (
              <div class="bulk">
                <span>
                  <b>
                    <span class="tally" />
                    {text('deliveries.selected')}
                  </b>
                </span>
                <button class="btn primary" type="submit" name="do" value="replay">
                  <Icon name="replay" />
                  {text('deliveries.replay_selected')}
                </button>
              </div>
            ) : null}
          </form>
        )}
        {rows.length === 0 ? null : (
          <Pager path={['deliveries']} query={filters} next={next} reader={reader}>
            {complete ? text('deliveries.pager', { n: PAGE_ROWS }) : text('deliveries.pager_incomplete')}
          </Pager>
        )}
      </>
    )
    return { title, main, liveMs: filters.before === undefined ? 5000 : undefined }
  },
}

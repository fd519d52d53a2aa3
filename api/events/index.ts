import { dataScopeOf } from '../../lib/auth/callers.js'
import { EventSummary, SummaryFilter, summariseEvents } from '../../lib/domain/events/event-summary.js'
import { EventBody, RecordedEvents, recordEvents } from '../../lib/domain/events/events.js'
import { findProjects } from '../../lib/domain/widgets/widget-configs.js'
import { created, ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Record one widget event, or up to 100',
    access: 'public',
    limit: 'events',
    weight: body => [body].flat().length,
    body: EventBody,
    maxBodyBytes: 256 * 1024,
    project: ({ body }) => findProjects([body].flat().map(event => event.projectId)),
    responses: { 201: { description: 'The event, or how many of a batch were new', schema: RecordedEvents } },
  },
  async ({ body, context }) => created(await recordEvents(body, context)),
)

const GET = route(
  {
    summary: 'The funnel: chats shown, chats started, leads captured',
    access: 'operator',
    scope: 'leads:read',
    limit: 'read',
    query: SummaryFilter,
    responses: { 200: { description: 'Totals, and with an interval also the series', schema: EventSummary } },
  },
  async ({ query, caller }) => ok(await summariseEvents(dataScopeOf(caller), query)),
)

export default serve('/api/events', { GET, POST })

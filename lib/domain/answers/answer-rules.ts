import type { ChatInput } from './chat-input.js'
import { type Intents, readIntents, type Topic } from './chat-intents.js'
import type { PropertyFacts } from './property-facts.js'

/** A question and all that a rule may answer it with. */
export interface Question {
  input: ChatInput
  facts: PropertyFacts
  /** Who answers, and how they ask for a number: texts of the project. */
  agentName: string
  phonePrompt: string
}

/** An offer that a plain "yes" accepts (`chat-intents`). */
const OFFER = 'Would you like someone from our team to call you about it?'

const MAX_TOPICS = 3
const MAX_LISTED = 12

/** What there is to say about one topic; `lacking` where a person knows more. */
interface TopicAnswer {
  text: string
  lacking?: true
}

/**
 * Answers by rule, from what the project says and nothing else: where it does not say, a person will. Never empty.
 */
export function answerByRule(question: Question): string {
  const intents = readIntents(question.input)
  const answers = intents.topics.slice(0, MAX_TOPICS).map(topic => TOPIC_ANSWERS[topic](question))
  const said = answers.map(({ text }) => text)
  if (intents.wants) said.push(invitation(intents.wants, question))
  else if (answers.some(({ lacking }) => lacking)) said.push(OFFER)
  return said.length > 0 ? said.join('\n') : smallTalk(intents, question)
}

const TOPIC_ANSWERS: Record<Topic, (question: Question) => TopicAnswer> = {
  price: answerPrice,
  location: ({ facts }) => known('Location', facts.location) ?? unknown('the exact location'),
  configuration: answerConfiguration,
  amenities: ({ facts }) => known('Amenities', list(facts.amenities)) ?? unknown('the amenities'),
  possession: ({ facts }) => known('Possession', facts.possession) ?? unknown('the possession date'),
  offers: ({ facts }) => known('Current offer', facts.offers) ?? unknown('the current offers'),
}

function answerPrice({ input, facts }: Question): TopicAnswer {
  const asked = askedConfiguration(input.message, facts) ?? askedConfiguration(input.selectedBhk, facts)
  const ofAsked = facts.prices.filter(({ configuration }) => asked?.fits(configuration))
  const price = known('Price', list(ofAsked.map(priceText)))
  if (price) return price
  const others = known('Prices', list(facts.prices.map(priceText))) ?? known('Price', facts.price)
  return asked
    ? lacking(`I do not have the price of ${asked.label} at hand.`, others)
    : (others ?? unknown('the prices'))
}

function answerConfiguration({ input, facts }: Question): TopicAnswer {
  const names =
    facts.configurations.length > 0 ? facts.configurations : facts.prices.map(price => price.configuration)
  const all = known('Configurations', list(names)) ?? unknown('the configurations')
  const asked = askedConfiguration(input.message, facts)
  if (!asked || all.lacking || names.some(asked.fits)) return all
  return lacking(`I do not know of ${asked.label} here.`, all)
}

const priceText = ({ configuration, price }: PropertyFacts['prices'][number]) => `${configuration} (${price})`

interface AskedConfiguration {
  label: string
  fits(configuration: string): boolean
}

/** The configuration that a text names, by its number of bedrooms or as the project calls it ("Duplex"). */
function askedConfiguration(text: string | undefined, facts: PropertyFacts): AskedConfiguration | undefined {
  if (text === undefined) return undefined
  const bedrooms = bedroomsIn(text)
  if (bedrooms !== undefined)
    return { label: `${bedrooms} BHK`, fits: configuration => bedroomsIn(configuration) === bedrooms }
  const label = [...facts.configurations, ...facts.prices.map(price => price.configuration)].find(
    // One letter is a name that any text has in it.
    name =>
      name.length > 2 && bedroomsIn(name) === undefined && text.toLowerCase().includes(name.toLowerCase()),
  )
  return label === undefined
    ? undefined
    : { label, fits: configuration => configuration.toLowerCase() === label.toLowerCase() }
}

const BEDROOMS = /(?<![\d.])(\d{1,2}(?:\.\d)?)\s*-?\s*(?:bhk|bed|br\b)|^(\d{1,2}(?:\.\d)?)$/i

/** Bedrooms as people write them ("3.5 BHK", "2bhk", "2 bedroom"), and the bare number of old widgets; 0 is none. */
function bedroomsIn(text: string): number | undefined {
  const [, written, bare] = BEDROOMS.exec(text.trim()) ?? []
  const bedrooms = Number(written ?? bare)
  return bedrooms > 0 ? bedrooms : undefined
}

function invitation(wants: NonNullable<Intents['wants']>, { phonePrompt }: Question): string {
  const ask = phonePrompt || 'Please share your mobile number.'
  return wants === 'visit' ? `Our team arranges site visits by phone. ${ask}` : ask
}

function smallTalk({ refusesCall, isGreeting, isThanks }: Intents, { agentName, facts }: Question): string {
  const help = `You can ask me about ${subjects(facts)}, or for a call from our team.`
  if (refusesCall) return `All right, no call. ${help}`
  if (isThanks) return 'You are welcome. Is there anything else that you would like to know?'
  if (!isGreeting) return `Sorry, I did not understand that. ${help}`
  const about = facts.name === undefined ? '' : ` from ${facts.name}`
  return `Hello! This is ${agentName || 'our team'}${about}. ${help}`
}

/** Only what there is an answer to; where a project says nothing, what visitors ask and a person tells. */
function subjects(facts: PropertyFacts): string {
  const answered = [
    (facts.prices.length > 0 || facts.price) && 'prices',
    facts.configurations.length > 0 && 'configurations',
    facts.location && 'the location',
    facts.amenities.length > 0 && 'amenities',
    facts.possession && 'possession',
    facts.offers && 'offers',
  ].filter(subject => typeof subject === 'string')
  return answered.length > 0 ? answered.join(', ') : 'the property'
}

function known(label: string, text: string | undefined): TopicAnswer | undefined {
  return text ? { text: `${label}: ${text}${/[.!?]$/.test(text) ? '' : '.'}` } : undefined
}

function unknown(what: string): TopicAnswer {
  return lacking(`I do not have ${what} at hand.`)
}

function lacking(text: string, instead?: TopicAnswer): TopicAnswer {
  return { text: instead ? `${text} ${instead.text}` : text, lacking: true }
}

function list(items: readonly string[]): string {
  const listed = items.slice(0, MAX_LISTED).join(', ')
  const rest = items.length - MAX_LISTED
  return rest > 0 ? `${listed} and ${rest} more` : listed
}

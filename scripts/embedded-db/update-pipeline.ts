import { CommandError } from './errors.js'
import { newContext } from './expression/expression.js'
import { STAGES, type Stage, stageOf } from './stages.js'
import type { Doc, Value } from './values.js'

const ALLOWED = ['$addFields', '$set', '$project', '$unset', '$replaceRoot', '$replaceWith']

/** An update that is a pipeline. Throws for the stages that MongoDB does not allow in one (InvalidOptions, 72). */
export function compileUpdatePipeline(stages: Value[]): (document: Doc) => Doc {
  const context = newContext()
  const compiled = stages.map(stage => {
    const [name, operand] = stageOf(stage)
    const make = ALLOWED.includes(name) ? STAGES[name] : undefined
    if (make) return make(operand, context)
    throw new CommandError('InvalidOptions', `${name} is not allowed to be used within an update`)
  })
  return document => {
    const [result] = compiled.reduce<Iterable<Doc>>((input, stage: Stage) => stage(input), [document])
    return result as Doc
  }
}

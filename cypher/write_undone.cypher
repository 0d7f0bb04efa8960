// Remember that events do not count, whether they have come yet or come again. Parameters: eventIds
UNWIND $eventIds AS eventId
MERGE (:Undone {eventId: eventId})
